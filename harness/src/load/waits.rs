//! Waits for planned instants.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use firedrill_timer::{Sleep, Timer};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::clock::{Clock, Nanos};

/// The consecutive waits of one task. Stopping the load ends the current wait and all later ones.
pub(super) struct Waits {
    clock: Clock,
    sleep: Sleep,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Waits {
    pub(super) fn new(clock: Clock, timer: &Timer, stop: &CancellationToken) -> Self {
        let sleep = timer.sleep_until(clock.instant(0));
        Self { clock, sleep, stop: Box::pin(stop.clone().cancelled_owned()) }
    }

    /// Waits until `due` or until the load is stopped, and returns the time then, which is before `due` only after a
    /// stop.
    pub(super) async fn until(&mut self, due: Nanos) -> Nanos {
        let Self { clock, sleep, stop } = self;
        sleep.reset(clock.instant(due));
        poll_fn(|context| {
            let now = clock.now();
            if now >= due || stop.as_mut().poll(context).is_ready() || Pin::new(&mut *sleep).poll(context).is_ready() {
                return Poll::Ready(clock.now());
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_wait_ends_at_its_instant_and_a_stop_ends_all() {
        let clock = Clock::starting_in(Duration::ZERO);
        let (timer, stop) = (Timer::start().unwrap(), CancellationToken::new());
        let mut waits = Waits::new(clock, &timer, &stop);
        let due = clock.now() + 2_000_000;
        assert!(waits.until(due).await >= due);
        assert!(waits.until(due).await >= due, "an instant in the past is reached at once");

        let distant = clock.now() + 3_600_000_000_000;
        let waiting = tokio::spawn(async move { (waits.until(distant).await, waits.until(distant).await) });
        tokio::task::yield_now().await;
        stop.cancel();
        let (first, second) = waiting.await.unwrap();
        assert!(first < distant && second < distant);
    }
}
