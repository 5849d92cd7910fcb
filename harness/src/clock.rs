//! One clock for load, faults and history: nanoseconds since the instant the measured load starts.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime};

/// Nanoseconds since the start of the measured load; negative before it (preload, warm-up).
pub type Nanos = i64;

/// The drill's clock. Copies tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch: Instant,
    wall: SystemTime,
}

impl Clock {
    /// A clock whose zero lies `lead` from now.
    pub fn starting_in(lead: Duration) -> Self {
        Self { epoch: Instant::now() + lead, wall: SystemTime::now() + lead }
    }

    /// The time now.
    pub fn now(&self) -> Nanos {
        self.at(Instant::now())
    }

    /// The time at `instant`.
    pub fn at(&self, instant: Instant) -> Nanos {
        match instant.checked_duration_since(self.epoch) {
            Some(after) => after.as_nanos() as Nanos,
            None => -((self.epoch - instant).as_nanos() as Nanos),
        }
    }

    /// The instant at which this clock shows `t`.
    pub fn instant(&self, t: Nanos) -> Instant {
        if t >= 0 {
            self.epoch + Duration::from_nanos(t as u64)
        } else {
            self.epoch - Duration::from_nanos(t.unsigned_abs())
        }
    }

    /// The wall clock's time at this clock's zero.
    pub fn wall_epoch(&self) -> SystemTime {
        self.wall
    }
}

/// The clock that a store under test is given: the machine's, until a fault lets it jump.
#[derive(Debug)]
pub struct StoreClock {
    origin: Instant,
    /// Nanoseconds that it is ahead.
    ahead: AtomicU64,
    reads: AtomicU64,
}

impl Default for StoreClock {
    fn default() -> Self {
        Self { origin: Instant::now(), ahead: AtomicU64::new(0), reads: AtomicU64::new(0) }
    }
}

impl StoreClock {
    /// Lets it jump forward.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(whole(by), SeqCst);
    }

    /// Lets it jump back what it was advanced by.
    pub fn set_back(&self, by: Duration) {
        self.ahead.fetch_sub(whole(by), SeqCst);
    }

    /// How often it has been read.
    pub fn reads(&self) -> u64 {
        self.reads.load(SeqCst)
    }
}

impl firedrill_storage::Clock for StoreClock {
    fn now(&self) -> u64 {
        self.reads.fetch_add(1, SeqCst);
        whole(self.origin.elapsed()).saturating_add(self.ahead.load(SeqCst))
    }
}

fn whole(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use firedrill_storage::Clock as _;

    use super::*;

    #[test]
    fn the_clock_of_a_store_jumps_and_is_set_back() {
        let (clock, hour) = (StoreClock::default(), Duration::from_secs(3_600));
        let before = clock.now();
        clock.advance(hour);
        assert!(clock.now() - before >= whole(hour));
        clock.set_back(hour);
        assert!(clock.now() - before < whole(hour));
        assert_eq!(clock.reads(), 3);
    }

    #[test]
    fn time_before_zero_is_negative_and_converts_back() {
        let clock = Clock::starting_in(Duration::from_secs(10));
        assert!(clock.now() < 0);
        assert_eq!(clock.at(clock.instant(-5_000)), -5_000);
        assert_eq!(clock.at(clock.instant(7_000)), 7_000);
    }
}
