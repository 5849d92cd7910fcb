//! `bandwidth`: data passes at no more than `rate` kilobytes (of 1,000 bytes) per second.
//!
//! ```text
//! in   ▮▮▮▮▮▮▮▮
//! out    ▮ ▮ ▮ ▮ ▮ ▮ ▮ ▮
//!        └ 20 ms' worth
//! ```
//!
//! Data is released in slices of at most 20 ms' worth, each at the end of the time that it needs on the slow line. The
//! sender is held up when more than 64 KiB wait. A rate of 0 or less lets nothing pass.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::kind::ToxicKind;
use super::stage::{Inbox, Stage, Step, ToxicRng, after, whole};

const SLICE: Duration = Duration::from_millis(20);

/// Attributes of the `bandwidth` toxic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bandwidth {
    /// Kilobytes (of 1,000 bytes) per second; 0 or less stalls the link.
    pub rate: i64,
}

pub(super) struct Narrow {
    bytes_per_second: u128,
    slice: usize,
    free_at: Instant,
}

impl Bandwidth {
    fn at_work(self, now: Instant) -> Narrow {
        let bytes_per_second = u128::from(whole(self.rate)) * 1_000;
        let slice = bytes_per_second * SLICE.as_millis() / 1_000;
        Narrow { bytes_per_second, slice: usize::try_from(slice).unwrap_or(usize::MAX), free_at: now }
    }
}

impl ToxicKind for Bandwidth {
    const NAME: &'static str = "bandwidth";
    const ABOUT: &'static str = "Data passes at no more than `rate` kilobytes per second.";

    fn stage(&self, _rng: ToxicRng, now: Instant) -> Box<dyn Stage> {
        Box::new(self.at_work(now))
    }
}

impl Stage for Narrow {
    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        let Some(front) = inbox.front() else { return inbox.forward() };
        if self.bytes_per_second == 0 {
            return Step::Wait(None);
        }
        let slice = front.bytes.len().min(self.slice);
        let nanos = slice as u128 * 1_000_000_000 / self.bytes_per_second;
        // Count from when the line became free, not from now: a late wake-up must not lower the rate.
        let due = after(self.free_at.max(front.entered), Duration::from_nanos(nanos as u64));
        if now < due {
            return Step::Wait(Some(due));
        }
        self.free_at = due;
        inbox.forward_at_most(slice)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::testing::Bench;
    use super::*;

    fn bench(rate: i64) -> Bench<Narrow> {
        Bench::new(|now| Bandwidth { rate }.at_work(now))
    }

    #[test]
    fn a_chunk_takes_its_size_over_the_rate() {
        let mut link = bench(1); // 1 KB/s: a byte per millisecond, slices of 20 bytes
        link.at(0).push(b"0123456789");
        assert_eq!(link.at(0).steps(), ["wait 10"]);
        assert_eq!(link.at(10).steps(), ["0123456789", "wait"]);
    }

    #[test]
    fn a_large_chunk_is_let_go_in_slices() {
        let mut link = bench(1);
        link.at(0).push(b"aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbccccc").end();
        assert_eq!(link.at(20).steps(), ["aaaaaaaaaaaaaaaaaaaa", "wait 40"]);
        assert_eq!(link.at(45).steps(), ["bbbbbbbbbbbbbbbbbbbb", "ccccc", "end"]);
    }

    #[test]
    fn waking_late_does_not_lower_the_rate_and_idling_earns_no_credit() {
        let mut link = bench(1);
        link.at(0).push(b"aaaaa").push(b"bbbbb");
        assert_eq!(link.at(9).steps(), ["aaaaa", "wait 10"]);
        assert_eq!(link.at(10).steps(), ["bbbbb", "wait"]);
        link.at(500).push(b"ccccc");
        assert_eq!(link.at(500).steps(), ["wait 505"]);
    }

    #[test]
    fn rate_zero_stalls() {
        for rate in [0, -1] {
            let mut link = bench(rate);
            link.at(0).push(b"never").end();
            assert_eq!(link.at(3_600_000).steps(), ["wait"]);
        }
    }
}
