//! Time as the in-process stores see it. The clock is passed in, so that a test (or a drill with a clock fault) can
//! make it jump. Redis keeps its own time: it gets only durations, never points in time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock for expiry.
pub trait Clock: Send + Sync + 'static {
    /// Nanoseconds since an origin that stays the same for the clock's life.
    fn now(&self) -> u64;
}

/// The machine's monotonic clock.
#[derive(Debug)]
pub struct MonotonicClock(Instant);

impl Default for MonotonicClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// A clock that shows the time it was set to.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(nanos(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A duration in the clock's unit, capped at 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Longer than any service runs: what an instant or Redis cannot hold ends then.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The instant that is so far from now, for deadlines and pauses of any length: `Instant + Duration` panics for the longest.
pub(crate) fn from_now(duration: Duration) -> tokio::time::Instant {
    tokio::time::Instant::now() + duration.min(FOREVER)
}

/// A lifetime in whole milliseconds, as Redis takes it: at least 1, and at most 100 years.
pub(crate) fn millis(ttl: Duration) -> u64 {
    (ttl.min(FOREVER).as_millis() as u64).max(1)
}
