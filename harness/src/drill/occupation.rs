//! What main threads do during a load, sampled: an event loop that waits for a disk, or that a signal has stopped, uses no
//! processor and yet serves nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::lab::doing::{Doing, doing};

/// Between two samples. No multiple of the milliseconds in which a process may be stopped and continued in turn.
const PERIOD: Duration = Duration::from_micros(7_300);

/// How often a thread was found doing what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Occupation(BTreeMap<Doing, u64>);

impl Occupation {
    fn add(&mut self, doing: Doing) {
        *self.0.entry(doing).or_default() += 1;
    }

    /// Adds what another one found.
    pub fn plus(mut self, other: Occupation) -> Self {
        other.0.into_iter().for_each(|(doing, count)| *self.0.entry(doing).or_default() += count);
        self
    }

    /// The share of the samples in which a signal had stopped the process; `None` without samples.
    pub fn stopped(&self) -> Option<f64> {
        self.share(|doing| *doing == Doing::Stopped)
    }

    /// The share of the samples in which it was blocked in a system call other than those that wait for events; `None` without
    /// samples.
    pub fn blocked(&self) -> Option<f64> {
        self.share(|doing| matches!(doing, Doing::Blocked(_)))
    }

    /// The call in which it was blocked most often.
    pub fn blocked_in(&self) -> Option<&'static str> {
        let calls = self.0.iter().filter_map(|(doing, count)| match doing {
            Doing::Blocked(call) => Some((*count, *call)),
            Doing::Running | Doing::Idle | Doing::Stopped => None,
        });
        calls.max().map(|(_, call)| call)
    }

    fn share(&self, of: impl Fn(&Doing) -> bool) -> Option<f64> {
        let all: u64 = self.0.values().sum();
        let those: u64 = self.0.iter().filter(|(doing, _)| of(doing)).map(|(_, count)| count).sum();
        (all > 0).then(|| those as f64 / all as f64)
    }
}

/// Samples the main thread of process `pid` between two instants.
pub fn observe(pid: u32, from: Instant, to: Instant) -> JoinHandle<Occupation> {
    tokio::spawn(async move {
        let mut seen = Occupation::default();
        let mut ticks = interval_at(from, PERIOD);
        // After a delay, late samples would all show the same instant.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while ticks.tick().await < to {
            let Some(doing) = doing(pid) else { break };
            seen.add(doing);
        }
        seen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_samples_and_the_most_frequent_call_is_named() {
        let mut seen = Occupation::default();
        assert_eq!((seen.stopped(), seen.blocked_in()), (None, None));
        let blocked = Doing::Blocked;
        for doing in [Doing::Running, Doing::Idle, Doing::Stopped, blocked("write"), blocked("fsync"), blocked("fsync")]
        {
            seen.add(doing);
        }
        let seen = seen.clone().plus(seen);
        assert_eq!((seen.stopped(), seen.blocked()), (Some(2.0 / 12.0), Some(0.5)));
        assert_eq!(seen.blocked_in(), Some("fsync"));
    }
}
