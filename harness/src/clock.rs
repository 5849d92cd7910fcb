//! One clock for load, faults and history: nanoseconds since the instant the measured load starts.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_before_zero_is_negative_and_converts_back() {
        let clock = Clock::starting_in(Duration::from_secs(10));
        assert!(clock.now() < 0);
        assert_eq!(clock.at(clock.instant(-5_000)), -5_000);
        assert_eq!(clock.at(clock.instant(7_000)), 7_000);
    }
}
