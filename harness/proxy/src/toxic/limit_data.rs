//! `limit_data`: after `bytes` bytes the connection is closed.
//!
//! ```text
//! in   ▮▮▮▮▮▮▮▮
//! out  ▮▮▮▮▮ closed
//!      └ bytes ┘
//! ```
//!
//! Bytes are counted per connection, from when the toxic took hold of it; changing the limit keeps the count.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::kind::ToxicKind;
use super::stage::{Inbox, Stage, Step, ToxicRng, whole};

/// Attributes of the `limit_data` toxic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitData {
    /// Bytes that may pass.
    pub bytes: i64,
}

impl ToxicKind for LimitData {
    const NAME: &'static str = "limit_data";
    const ABOUT: &'static str = "The connection is closed after `bytes` bytes.";

    fn stage(&self, _rng: ToxicRng, _now: Instant) -> Box<dyn Stage> {
        Box::new(*self)
    }
}

impl Stage for LimitData {
    fn step(&mut self, inbox: &mut Inbox, _now: Instant) -> Step {
        let left = whole(self.bytes).saturating_sub(inbox.passed());
        if left > 0 {
            return inbox.forward_at_most(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let used = inbox.passed() > 0 || inbox.front().is_some();
        if used { Step::Close } else { inbox.forward() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::testing::Bench;
    use super::*;

    #[test]
    fn the_limit_falls_in_the_middle_of_a_chunk() {
        let mut link = Bench::new(|_| LimitData { bytes: 7 });
        link.at(0).push(b"hello");
        assert_eq!(link.at(0).steps(), ["hello", "wait"]);
        link.at(1).push(b"world");
        assert_eq!(link.at(1).steps(), ["wo", "close"]);
        assert_eq!(link.inbox.held(), 3);
    }

    #[test]
    fn reaching_the_limit_exactly_closes() {
        let mut link = Bench::new(|_| LimitData { bytes: 5 });
        link.at(0).push(b"hello");
        assert_eq!(link.at(0).steps(), ["hello", "close"]);
    }

    #[test]
    fn limit_zero_lets_the_connection_live_until_something_is_sent() {
        for bytes in [0, -1] {
            let mut link = Bench::new(|_| LimitData { bytes });
            assert_eq!(link.at(0).steps(), ["wait"]);
            link.at(1).push(b"x");
            assert_eq!(link.at(1).steps(), ["close"]);
        }
    }

    #[test]
    fn a_raised_limit_keeps_the_count() {
        let mut link = Bench::new(|_| LimitData { bytes: 6 });
        link.at(0).push(b"hello");
        assert_eq!(link.at(0).steps(), ["hello", "wait"]);
        link.stage = LimitData { bytes: 8 };
        link.at(1).push(b"world");
        assert_eq!(link.at(1).steps(), ["wor", "close"]);
    }
}
