//! `latency`: every transfer is `latency` ± `jitter` milliseconds late.
//!
//! ```text
//! in   ▮▮▮▮         ▮
//!      ├─ latency ─▶├─ latency ─▶
//! out               ▮▮▮▮         ▮
//! ```
//!
//! Each chunk is due at its own arrival plus the delay, so a reply in many chunks is late only once, and data on its
//! way does not hold up what comes after it. The order is preserved. The jitter is drawn once per transfer.

use std::time::{Duration, Instant};

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::kind::ToxicKind;
use super::stage::{Inbox, Stage, Step, ToxicRng, after, whole};

/// Attributes of the `latency` toxic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Delay in milliseconds.
    pub latency: i64,
    /// The delay varies by up to this many milliseconds either way, never below zero.
    pub jitter: i64,
}

pub(super) struct Delaying {
    toxic: Latency,
    rng: ToxicRng,
    delay: Duration,
    due: Option<Instant>,
}

impl Latency {
    fn at_work(self, mut rng: ToxicRng) -> Delaying {
        let delay = self.draw(&mut rng);
        Delaying { toxic: self, rng, delay, due: None }
    }

    fn draw(&self, rng: &mut ToxicRng) -> Duration {
        if self.jitter <= 0 {
            return Duration::from_millis(whole(self.latency));
        }
        let (middle, spread) = (self.latency as f64, self.jitter as f64);
        Duration::try_from_secs_f64(rng.random_range(middle - spread..=middle + spread).max(0.0) / 1e3)
            .unwrap_or(Duration::MAX)
    }
}

impl ToxicKind for Latency {
    const NAME: &'static str = "latency";
    const ABOUT: &'static str = "Every transfer is `latency` ± `jitter` milliseconds late.";

    fn stage(&self, rng: ToxicRng, _now: Instant) -> Box<dyn Stage> {
        Box::new(self.at_work(rng))
    }
}

impl Stage for Delaying {
    /// As much as passes in a quarter of a second at 1 Gbit/s, so that a delay does not limit the throughput.
    fn capacity(&self) -> usize {
        32 * 1024 * 1024
    }

    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        let Some(front) = inbox.front() else { return inbox.forward() };
        let due = match self.due {
            Some(due) => due,
            None => {
                if front.opens {
                    self.delay = self.toxic.draw(&mut self.rng);
                }
                *self.due.insert(after(front.entered, self.delay))
            }
        };
        if now < due {
            return Step::Wait(Some(due));
        }
        self.due = None;
        inbox.forward()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::stage::testing::Bench;
    use super::*;

    fn bench(latency: i64, jitter: i64) -> Bench<Delaying> {
        Bench::new(|_| Latency { latency, jitter }.at_work(ToxicRng::seed_from_u64(1)))
    }

    #[test]
    fn each_chunk_is_due_at_its_own_arrival_plus_the_latency() {
        let mut link = bench(100, 0);
        link.at(0).push(b"re");
        link.at(30).more(b"ply");
        assert_eq!(link.at(30).steps(), ["wait 100"]);
        assert_eq!(link.at(100).steps(), ["re", "wait 130"]);
        assert_eq!(link.at(130).steps(), ["ply", "wait"]);
    }

    #[test]
    fn chunks_that_came_together_leave_together() {
        let mut link = bench(100, 0);
        link.at(0).push(b"a").more(b"b").more(b"c");
        assert_eq!(link.at(100).steps(), ["a", "b", "c", "wait"]);
    }

    #[test]
    fn the_end_follows_the_last_chunk() {
        let mut link = bench(100, 0);
        link.at(0).push(b"bye").end();
        assert_eq!(link.at(99).steps(), ["wait 100"]);
        assert_eq!(link.at(100).steps(), ["bye", "end"]);
    }

    #[test]
    fn jitter_is_drawn_once_per_transfer_stays_in_its_range_and_keeps_the_order() {
        let mut link = bench(50, 40);
        let mut delays = Vec::new();
        for transfer in 0..200 {
            let start = transfer * 1_000;
            link.at(start).push(b"first").more(b"second");
            let waits = link.at(start).steps();
            let due: u64 = waits[0].strip_prefix("wait ").unwrap().parse().unwrap();
            assert_eq!(link.at(due + 1).steps(), ["first", "second", "wait"]);
            delays.push(due - start);
        }
        assert!(delays.iter().all(|delay| (10..=90).contains(delay)), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay < 30) && delays.iter().any(|delay| *delay > 70), "{delays:?}");
    }

    #[test]
    fn below_zero_is_no_latency_and_no_jitter() {
        for (latency, jitter, due) in [(-5, 0, 0), (20, -3, 20), (i64::MIN, i64::MIN, 0)] {
            let mut link = bench(latency, jitter);
            link.at(0).push(b"x");
            assert_eq!(link.at(due).steps(), ["x", "wait"], "{latency} {jitter}");
        }
    }

    #[test]
    fn jitter_beyond_the_latency_never_asks_for_the_past() {
        let mut link = bench(1, 100);
        for transfer in 0..100 {
            link.at(transfer * 1_000).push(b"x");
            link.steps();
            assert_eq!(link.at(transfer * 1_000 + 102).steps().last().unwrap(), "wait");
        }
    }
}
