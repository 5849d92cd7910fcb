//! Wakes tasks at an instant, to within some tens of microseconds. The runtime's own timers count whole milliseconds,
//! which would show as an error of up to a millisecond in every delay that a toxic adds; a timerfd does not.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use parking_lot::Mutex;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The alarm clock of one runtime. Clones are the same clock.
#[derive(Clone)]
pub(crate) struct Alarms(Arc<Clock>);

struct Clock {
    timer: TimerFd,
    set: Mutex<BinaryHeap<Alarm>>,
}

struct Alarm {
    at: Instant,
    waker: Waker,
}

impl Alarms {
    /// Starts a clock on the current runtime; it ends with the runtime.
    pub fn start() -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let alarms = Self(Arc::new(Clock { timer, set: Mutex::new(BinaryHeap::new()) }));
        // SAFETY: the descriptor belongs to the timer in the shared clock: `as_raw_fd` always answers that one, and it is
        // open for as long as the clone in the `AsyncFd` keeps the clock alive.
        let ready = unsafe { AsyncFd::register_with_interest(alarms.clone(), Interest::READABLE) }?;
        tokio::spawn(async move {
            // The timer is never read: setting it again also forgets its expirations, and epoll reports each one.
            while let Ok(mut guard) = ready.readable().await {
                guard.clear_ready();
                ready.get_ref().ring();
            }
        });
        Ok(alarms)
    }

    /// Wakes `waker` at `at` or soon after. An alarm cannot be taken back: who is woken looks at the time again.
    pub fn wake_at(&self, at: Instant, waker: Waker) {
        let mut set = self.0.set.lock();
        let earliest = set.peek().is_none_or(|first| at < first.at);
        set.push(Alarm { at, waker });
        if earliest {
            self.0.wind(at);
        }
    }

    fn ring(&self) {
        let now = Instant::now();
        let mut set = self.0.set.lock();
        while let Some(first) = set.peek() {
            if first.at > now {
                self.0.wind(first.at);
                return;
            }
            if let Some(due) = set.pop() {
                due.waker.wake();
            }
        }
    }
}

impl Clock {
    fn wind(&self, at: Instant) {
        // Zero would stop the timer instead of letting it go off at once.
        let delay = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let once = Expiration::OneShot(TimeSpec::from_duration(delay));
        if let Err(error) = self.timer.set(once, TimerSetTimeFlags::empty()) {
            tracing::error!(%error, "the proxy's timer cannot be set: toxics will not let go of what they hold");
        }
    }
}

impl AsRawFd for Alarms {
    fn as_raw_fd(&self) -> RawFd {
        self.0.timer.as_fd().as_raw_fd()
    }
}

// The heap gives its greatest element first; the greatest alarm is the one that is due first.
impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    async fn sleep_until(alarms: &Alarms, at: Instant) {
        poll_fn(|cx| {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            alarms.wake_at(at, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    #[tokio::test]
    async fn alarms_ring_in_the_order_of_their_instants_and_never_early() {
        let alarms = Alarms::start().unwrap();
        let rung = Arc::new(Mutex::new(Vec::new()));
        let zero = Instant::now();
        let sleepers: Vec<_> = [40, 10, 30, 20]
            .map(|ms| {
                let (alarms, rung) = (alarms.clone(), rung.clone());
                tokio::spawn(async move {
                    let at = zero + Duration::from_millis(ms);
                    sleep_until(&alarms, at).await;
                    assert!(Instant::now() >= at);
                    rung.lock().push(ms);
                })
            })
            .into();
        for sleeper in sleepers {
            sleeper.await.unwrap();
        }
        assert_eq!(*rung.lock(), [10, 20, 30, 40]);
    }

    #[tokio::test]
    async fn an_alarm_in_the_past_rings_at_once() {
        let alarms = Alarms::start().unwrap();
        let past = Instant::now();
        let mut polls = 0;
        let woken = poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            alarms.wake_at(past, cx.waker().clone());
            Poll::Pending
        });
        tokio::time::timeout(Duration::from_secs(10), woken).await.unwrap();
    }
}
