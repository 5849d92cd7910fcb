//! `slicer`: data is cut into small packets of `average_size` ± `size_variation` bytes, `delay` microseconds apart.
//!
//! ```text
//! in   ▮▮▮▮▮▮▮▮
//! out  ▮▮ ▮▮▮ ▮ ▮▮
//!        └ delay
//! ```

use std::time::{Duration, Instant};

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::kind::ToxicKind;
use super::stage::{Inbox, Stage, Step, ToxicRng, after};

/// Attributes of the `slicer` toxic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slicer {
    /// Average packet size in bytes, at least 1.
    pub average_size: u64,
    /// Sizes vary by up to this many bytes either way; less than the average.
    pub size_variation: u64,
    /// Microseconds between packets.
    pub delay: u64,
}

pub(super) struct Slicing {
    toxic: Slicer,
    rng: ToxicRng,
    next: Instant,
}

impl Slicer {
    fn at_work(self, rng: ToxicRng, now: Instant) -> Slicing {
        Slicing { toxic: self, rng, next: now }
    }
}

impl ToxicKind for Slicer {
    const NAME: &'static str = "slicer";
    const ABOUT: &'static str =
        "Data is cut into packets of `average_size` ± `size_variation` bytes, `delay` microseconds apart.";

    fn check(&self) -> Result<(), String> {
        if self.average_size == 0 {
            return Err("average_size must be at least 1 byte".into());
        }
        if self.size_variation >= self.average_size {
            return Err("size_variation must be less than average_size".into());
        }
        Ok(())
    }

    fn stage(&self, rng: ToxicRng, now: Instant) -> Box<dyn Stage> {
        Box::new(self.at_work(rng, now))
    }
}

impl Stage for Slicing {
    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        let Slicer { average_size: average, size_variation: variation, delay } = self.toxic;
        let Some(front) = inbox.front() else { return inbox.forward() };
        if now < self.next {
            return Step::Wait(Some(self.next));
        }
        // Anything no larger than the largest packet is sent whole, so that no tiny packets are left at the end.
        let packet = match front.bytes.len() as u64 {
            rest if rest <= average.saturating_add(variation) => rest,
            _ => self.rng.random_range(average - variation..=average.saturating_add(variation)),
        };
        self.next = after(now, Duration::from_micros(delay));
        inbox.forward_at_most(usize::try_from(packet).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::stage::testing::Bench;
    use super::*;

    fn bench(average_size: u64, size_variation: u64, delay: u64) -> Bench<Slicing> {
        let rng = ToxicRng::seed_from_u64(1);
        Bench::new(|now| Slicer { average_size, size_variation, delay }.at_work(rng, now))
    }

    #[test]
    fn packets_of_the_average_size_leave_one_delay_apart() {
        let mut link = bench(3, 0, 10_000);
        link.at(0).push(b"aaabbbcc").end();
        assert_eq!(link.at(0).steps(), ["aaa", "wait 10"]);
        assert_eq!(link.at(10).steps(), ["bbb", "wait 20"]);
        assert_eq!(link.at(20).steps(), ["cc", "end"]);
    }

    #[test]
    fn sizes_vary_within_their_range_and_nothing_is_lost() {
        let mut link = bench(8, 4, 0);
        link.at(0).push(&[b'x'; 1_000]);
        let mut packets = link.at(0).steps();
        assert_eq!(packets.pop().unwrap(), "wait");
        let last = packets.pop().unwrap();
        assert_eq!(packets.iter().map(String::len).sum::<usize>() + last.len(), 1_000);
        assert!(last.len() <= 12);
        assert!(packets.iter().all(|packet| (4..=12).contains(&packet.len())), "{packets:?}");
        assert!(packets.iter().any(|packet| packet.len() < 7) && packets.iter().any(|packet| packet.len() > 9));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        let of = |average_size, size_variation| Slicer { average_size, size_variation, delay: 0 }.check();
        assert_eq!(of(0, 0), Err("average_size must be at least 1 byte".into()));
        assert_eq!(of(10, 10), Err("size_variation must be less than average_size".into()));
        assert_eq!(of(10, 9), Ok(()));
    }
}
