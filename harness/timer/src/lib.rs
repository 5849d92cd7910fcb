//! Sleeps that end within tens of microseconds of their instant.
//!
//! The runtime's own timers count whole milliseconds: they would bunch the arrivals of any rate above 1,000 per second,
//! and add an error to every delay of a proxy. A timerfd is as exact as the kernel's high-resolution timers and sits in
//! the same epoll set as the sockets, so waiting needs no spinning.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use parking_lot::Mutex;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

/// The timer of one runtime. Clones share one file descriptor, which is closed when the last clone and the last
/// [`Sleep`] are gone.
#[derive(Debug, Clone)]
pub struct Timer(Arc<Running>);

#[derive(Debug)]
struct Running {
    alarm: Arc<Alarm>,
    driver: AbortHandle,
}

#[derive(Debug)]
struct Alarm {
    descriptor: TimerFd,
    sleepers: Mutex<Sleepers>,
}

#[derive(Debug, Default)]
struct Sleepers {
    /// Sorted by instant, then by the order in which they fell asleep.
    asleep: BTreeMap<(Instant, u64), Waker>,
    serial: u64,
    /// Whether those who were due have just been woken: the descriptor is then set soon, for whoever is first.
    ringing: bool,
}

impl Timer {
    /// Starts a timer on the current runtime, which must have its I/O driver enabled.
    ///
    /// # Errors
    /// If the system provides no file descriptor.
    pub fn start() -> io::Result<Self> {
        let descriptor = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let alarm = Arc::new(Alarm { descriptor, sleepers: Mutex::default() });
        // SAFETY: the descriptor belongs to the alarm, `as_raw_fd` always returns that one, and it stays open for as long as
        // the `AsyncFd` holds the alarm.
        let ready = unsafe { AsyncFd::register_with_interest(Ringing(alarm.clone()), Interest::READABLE) }?;
        let driver = tokio::spawn(async move {
            // The descriptor is never read: setting it again resets its count, and epoll reports the next expiry.
            while let Ok(mut guard) = ready.readable().await {
                guard.clear_ready();
                let alarm = &ready.get_ref().0;
                alarm.ring();
                // Most of those who are woken go to sleep again at once. The descriptor is set once for all of them.
                tokio::task::yield_now().await;
                alarm.rung();
            }
        });
        Ok(Self(Arc::new(Running { alarm, driver: driver.abort_handle() })))
    }

    /// A future that becomes ready at `deadline`, and never before. Dropping it removes it from the timer.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep { timer: self.clone(), deadline, asleep: None }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Alarm {
    /// Registers a sleeper; returns the number that distinguishes it from others with the same instant.
    fn lie_down(&self, deadline: Instant, waker: Waker) -> u64 {
        let mut sleepers = self.sleepers.lock();
        let serial = sleepers.serial;
        sleepers.serial += 1;
        let first = sleepers.asleep.first_key_value().is_none_or(|(&(first, _), _)| deadline < first);
        sleepers.asleep.insert((deadline, serial), waker);
        if first && !sleepers.ringing {
            self.set(deadline);
        }
        serial
    }

    /// Wakes all sleepers that are due.
    fn ring(&self) {
        self.sleepers.lock().ringing = true;
        let now = Instant::now();
        while let Some(waker) = self.next_due(now) {
            waker.wake();
        }
    }

    fn next_due(&self, now: Instant) -> Option<Waker> {
        let mut sleepers = self.sleepers.lock();
        let first = sleepers.asleep.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    /// Sets the descriptor for the sleeper that is due next.
    fn rung(&self) {
        let mut sleepers = self.sleepers.lock();
        sleepers.ringing = false;
        if let Some((&(deadline, _), _)) = sleepers.asleep.first_key_value() {
            self.set(deadline);
        }
    }

    fn set(&self, deadline: Instant) {
        // Zero would stop the timer instead of firing it at once.
        let delay = deadline.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let once = Expiration::OneShot(TimeSpec::from_duration(delay));
        if let Err(error) = self.descriptor.set(once, TimerSetTimeFlags::empty()) {
            tracing::error!(%error, "the timer cannot be set: those who sleep on it are not woken");
        }
    }
}

struct Ringing(Arc<Alarm>);

impl AsRawFd for Ringing {
    fn as_raw_fd(&self) -> RawFd {
        self.0.descriptor.as_fd().as_raw_fd()
    }
}

/// Becomes ready at its deadline. Created by [`Timer::sleep_until`].
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is polled"]
pub struct Sleep {
    timer: Timer,
    deadline: Instant,
    /// Its number on the timer while registered.
    asleep: Option<u64>,
}

impl Sleep {
    /// Moves the deadline, even after it has passed. The next poll counts from there.
    pub fn reset(&mut self, deadline: Instant) {
        if deadline != self.deadline {
            self.get_up();
            self.deadline = deadline;
        }
    }

    fn get_up(&mut self) {
        if let Some(serial) = self.asleep.take() {
            // The timer may still fire for it, and will then find no sleeper.
            self.timer.0.alarm.sleepers.lock().asleep.remove(&(self.deadline, serial));
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            self.get_up();
            return Poll::Ready(());
        }
        if let Some(serial) = self.asleep
            && let Some(waker) = self.timer.0.alarm.sleepers.lock().asleep.get_mut(&(self.deadline, serial))
        {
            waker.clone_from(cx.waker());
            return Poll::Pending;
        }
        let serial = self.timer.0.alarm.lie_down(self.deadline, cx.waker().clone());
        self.asleep = Some(serial);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.get_up();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    impl Timer {
        fn asleep(&self) -> usize {
            self.0.alarm.sleepers.lock().asleep.len()
        }
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_deadlines_and_never_early() {
        let timer = Timer::start().unwrap();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let zero = Instant::now();
        let sleepers: Vec<_> = [40, 10, 30, 20]
            .map(|after| {
                let (timer, woken) = (timer.clone(), woken.clone());
                tokio::spawn(async move {
                    let deadline = zero + ms(after);
                    timer.sleep_until(deadline).await;
                    assert!(Instant::now() >= deadline);
                    woken.lock().push(after);
                })
            })
            .into();
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
        assert_eq!(*woken.lock(), [10, 20, 30, 40]);
        assert_eq!(timer.asleep(), 0);
    }

    #[tokio::test]
    async fn a_deadline_in_the_past_is_ready_at_once() {
        let timer = Timer::start().unwrap();
        timer.sleep_until(Instant::now()).await;
        assert_eq!(timer.asleep(), 0);
    }

    #[tokio::test]
    async fn a_sleep_that_is_dropped_or_reset_leaves_the_timer() {
        let timer = Timer::start().unwrap();
        let far = Instant::now() + Duration::from_secs(3_600);
        let mut sleeps: Vec<Sleep> = (0..100).map(|_| timer.sleep_until(far)).collect();
        poll_fn(|cx| {
            for sleep in &mut sleeps {
                assert!(Pin::new(sleep).poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(timer.asleep(), 100);
        let mut kept = sleeps.pop().unwrap();
        drop(sleeps);
        assert_eq!(timer.asleep(), 1);
        kept.reset(Instant::now() + ms(1));
        assert_eq!(timer.asleep(), 0);
        kept.await;
    }

    #[tokio::test]
    async fn an_earlier_sleeper_wakes_first_though_it_came_later() {
        let timer = Timer::start().unwrap();
        let mut far = pin!(timer.sleep_until(Instant::now() + Duration::from_secs(3_600)));
        tokio::select! {
            biased;
            () = &mut far => panic!("an hour has not passed"),
            () = timer.sleep_until(Instant::now() + ms(1)) => {}
        }
    }

    #[tokio::test]
    async fn the_descriptor_is_closed_with_the_last_clone() {
        let timer = Timer::start().unwrap();
        let alarm = Arc::downgrade(&timer.0.alarm);
        drop((timer.clone(), timer));
        while alarm.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn sleeps_end_closer_to_their_deadline_than_those_of_the_runtime() {
        let timer = Timer::start().unwrap();
        let (mut late, mut late_by_runtime) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            let deadline = Instant::now() + Duration::from_micros(300);
            timer.sleep_until(deadline).await;
            late.push(deadline.elapsed());
            let deadline = Instant::now() + Duration::from_micros(300);
            tokio::time::sleep_until(deadline.into()).await;
            late_by_runtime.push(deadline.elapsed());
        }
        late.sort_unstable();
        late_by_runtime.sort_unstable();
        assert!(2 * late[50] < late_by_runtime[50], "{:?}, the runtime {:?}", late[50], late_by_runtime[50]);
    }
}
