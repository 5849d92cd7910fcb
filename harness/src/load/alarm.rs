//! Wakes tasks of one worker at exact instants.
//!
//! tokio's timers go by the millisecond, which would bunch the arrivals of any rate above 1000/s. A timerfd is as exact
//! as the kernel's high-resolution timers and lies in the same epoll set as the sockets, so waiting costs no spinning,
//! and answers that have arrived are seen no later than the alarm.

use std::cell::{Cell, RefCell};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::task::{Poll, Waker};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::{Clock, Nanos};

/// The alarm of one worker. [`Alarm::drive`] must run beside those who wait.
pub(super) struct Alarm {
    clock: Clock,
    timer: AsyncFd<Timer>,
    sleepers: RefCell<BinaryHeap<Reverse<Sleeper>>>,
    stopped: Cell<bool>,
}

impl Alarm {
    /// An alarm on the current runtime's I/O driver.
    pub(super) fn new(clock: Clock) -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        // SAFETY: the timer owns its descriptor, always names the same one, and is closed when `AsyncFd` drops it.
        let timer = unsafe { AsyncFd::register_with_interest(Timer(timer), Interest::READABLE) }?;
        Ok(Self { clock, timer, sleepers: RefCell::default(), stopped: Cell::new(false) })
    }

    /// Waits until `due`, or until everything stops; says the time then, which is never before `due` unless stopped.
    pub(super) async fn until(&self, due: Nanos) -> Nanos {
        let mut registered = false;
        poll_fn(|context| {
            let now = self.clock.now();
            if now >= due || self.stopped.get() {
                return Poll::Ready(now);
            }
            if !std::mem::replace(&mut registered, true) {
                self.register(due, context.waker().clone(), now);
            }
            Poll::Pending
        })
        .await
    }

    /// Whether [`Alarm::stop`] was called.
    pub(super) fn stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Wakes everybody, now and from now on.
    pub(super) fn stop(&self) {
        self.stopped.set(true);
        for Reverse(sleeper) in self.sleepers.borrow_mut().drain() {
            sleeper.waker.wake();
        }
    }

    /// Rings for as long as it is polled.
    pub(super) async fn drive(&self) -> io::Result<()> {
        loop {
            // The timer is never read: setting it anew takes back what it has counted, and the next expiry is a new edge.
            self.timer.readable().await?.clear_ready();
            let now = self.clock.now();
            let mut sleepers = self.sleepers.borrow_mut();
            while sleepers.peek().is_some_and(|Reverse(sleeper)| sleeper.due <= now) {
                if let Some(Reverse(sleeper)) = sleepers.pop() {
                    sleeper.waker.wake();
                }
            }
            if let Some(Reverse(next)) = sleepers.peek() {
                self.timer.get_ref().ring_in(next.due - now);
            }
        }
    }

    fn register(&self, due: Nanos, waker: Waker, now: Nanos) {
        let mut sleepers = self.sleepers.borrow_mut();
        if sleepers.peek().is_none_or(|Reverse(first)| due < first.due) {
            self.timer.get_ref().ring_in(due - now);
        }
        sleepers.push(Reverse(Sleeper { due, waker }));
    }
}

struct Timer(TimerFd);

impl Timer {
    fn ring_in(&self, wait: Nanos) {
        let wait = TimeSpec::from_duration(Duration::from_nanos(wait.max(1) as u64));
        // with a descriptor of our own and a time above zero timerfd_settime(2) has no way to fail
        let _ = self.0.set(Expiration::OneShot(wait), TimerSetTimeFlags::empty());
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

struct Sleeper {
    due: Nanos,
    waker: Waker,
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Sleeper {}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn on_a_worker(body: impl AsyncFnOnce(Clock, Rc<Alarm>)) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default()).unwrap();
        runtime.block_on(async {
            let clock = Clock::starting_in(Duration::ZERO);
            let alarm = Rc::new(Alarm::new(clock).unwrap());
            let driver = Rc::clone(&alarm);
            tokio::task::spawn_local(async move { driver.drive().await });
            body(clock, alarm).await;
        });
    }

    #[test]
    fn sleepers_are_woken_in_the_order_in_which_they_are_due_and_never_early() {
        on_a_worker(async |clock, alarm| {
            let wake = async || {
                let (woken, asleep) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
                let start = clock.now();
                let tasks: Vec<_> = [900_000, 100_000, 500_000, 100_001, 2_300_000]
                    .into_iter()
                    .map(|wait| {
                        let alarm = Rc::clone(&alarm);
                        let (woken, asleep) = (Rc::clone(&woken), Rc::clone(&asleep));
                        tokio::task::spawn_local(async move {
                            asleep.set(clock.now());
                            assert!(alarm.until(start + wait).await >= start + wait);
                            woken.borrow_mut().push(wait);
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
                // On a machine that stood still meanwhile, who came first was not woken by the alarm.
                (asleep.get() < start + 100_000).then(|| woken.take())
            };
            for _ in 0..1_000 {
                if let Some(woken) = wake().await {
                    return assert_eq!(woken, [100_000, 100_001, 500_000, 900_000, 2_300_000]);
                }
            }
            panic!("the machine stood still a thousand times");
        });
    }

    #[test]
    fn alarms_are_closer_to_their_instant_than_the_timers_of_the_runtime() {
        on_a_worker(async |clock, alarm| {
            let (mut late, mut late_by_runtime) = (Vec::new(), Vec::new());
            for _ in 0..100 {
                let due = clock.now() + 300_000;
                late.push(alarm.until(due).await - due);
                let due = clock.now() + 300_000;
                tokio::time::sleep_until(clock.instant(due).into()).await;
                late_by_runtime.push(clock.now() - due);
            }
            late.sort_unstable();
            late_by_runtime.sort_unstable();
            assert!(2 * late[50] < late_by_runtime[50], "{} ns, the runtime {} ns", late[50], late_by_runtime[50]);
        });
    }

    #[test]
    fn stopping_wakes_those_who_wait_for_a_distant_instant() {
        on_a_worker(async |clock, alarm| {
            let distant = clock.now() + 3_600_000_000_000;
            let sleeper = Rc::clone(&alarm);
            let task = tokio::task::spawn_local(async move { sleeper.until(distant).await });
            tokio::task::yield_now().await;
            alarm.stop();
            assert!(task.await.unwrap() < distant);
        });
    }
}
