//! `slicer`: data is cut into small packets of `average_size` ± `size_variation` bytes, `delay` microseconds apart.
//!
//! ```text
//! in   ▮▮▮▮▮▮▮▮
//! out  ▮▮ ▮▮▮ ▮ ▮▮
//!        └ delay
//! ```

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::kind::ToxicKind;
use super::stage::{Inbox, Stage, Step, ToxicRng, after, whole};

/// Attributes of the `slicer` toxic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slicer {
    /// Average packet size in bytes.
    pub average_size: i64,
    /// Sizes vary by up to this many bytes either way; a packet has at least one.
    pub size_variation: i64,
    /// Microseconds between packets.
    pub delay: i64,
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

    /// The sizes of a packet. None is empty: Toxiproxy slices for ever where the average is 0.
    fn sizes(self) -> RangeInclusive<u64> {
        let (average, variation) = (whole(self.average_size), whole(self.size_variation));
        let largest = average.saturating_add(variation).max(1);
        average.saturating_sub(variation).max(1)..=largest
    }
}

impl ToxicKind for Slicer {
    const NAME: &'static str = "slicer";
    const ABOUT: &'static str =
        "Data is cut into packets of `average_size` ± `size_variation` bytes, `delay` microseconds apart.";

    fn stage(&self, rng: ToxicRng, now: Instant) -> Box<dyn Stage> {
        Box::new(self.at_work(rng, now))
    }
}

impl Stage for Slicing {
    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        let Some(front) = inbox.front() else { return inbox.forward() };
        if now < self.next {
            return Step::Wait(Some(self.next));
        }
        let sizes = self.toxic.sizes();
        // What is no larger than the largest packet goes whole, so that no crumbs are left at the end.
        let packet = match front.bytes.len() as u64 {
            rest if rest <= *sizes.end() => rest,
            _ => self.rng.random_range(sizes),
        };
        self.next = after(now, Duration::from_micros(whole(self.toxic.delay)));
        inbox.forward_at_most(usize::try_from(packet).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::stage::testing::Bench;
    use super::*;

    fn bench(average_size: i64, size_variation: i64, delay: i64) -> Bench<Slicing> {
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
    fn every_packet_has_at_least_one_byte_whatever_the_sizes() {
        let of = |average_size, size_variation| Slicer { average_size, size_variation, delay: 0 }.sizes();
        assert_eq!(of(10, 9), 1..=19);
        assert_eq!(of(1_000, 1_000), 1..=2_000);
        assert_eq!(of(3, 7), 1..=10);
        assert_eq!(of(0, 0), 1..=1);
        assert_eq!(of(-4, -4), 1..=1);
        assert_eq!(of(i64::MAX, i64::MAX), 1..=u64::MAX - 1);
        let mut link = bench(0, 0, 0);
        link.at(0).push(b"abc").end();
        assert_eq!(link.at(0).steps(), ["a", "b", "c", "end"]);
    }
}
