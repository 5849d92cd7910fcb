//! `slow_close`: data passes, but the end of the stream is delayed by `delay` milliseconds.
//!
//! ```text
//! in   ▮▮▮ FIN
//!          ├── delay ──▶
//! out  ▮▮▮              FIN
//! ```

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::kind::ToxicKind;
use super::stage::{Inbox, Stage, Step, ToxicRng, after, whole};

/// Attributes of the `slow_close` toxic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlowClose {
    /// Milliseconds by which the end is late.
    pub delay: i64,
}

impl ToxicKind for SlowClose {
    const NAME: &'static str = "slow_close";
    const ABOUT: &'static str = "The end of the stream is delayed by `delay` milliseconds.";

    fn stage(&self, _rng: ToxicRng, _now: Instant) -> Box<dyn Stage> {
        Box::new(*self)
    }
}

impl Stage for SlowClose {
    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        if let (None, Some(ended)) = (inbox.front(), inbox.ended()) {
            let due = after(ended, Duration::from_millis(whole(self.delay)));
            if now < due {
                return Step::Wait(Some(due));
            }
        }
        inbox.forward()
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::testing::Bench;
    use super::*;

    #[test]
    fn data_passes_at_once_and_the_end_is_late() {
        let mut link = Bench::new(|_| SlowClose { delay: 1_000 });
        link.at(0).push(b"data");
        assert_eq!(link.at(0).steps(), ["data", "wait"]);
        link.at(500).end();
        assert_eq!(link.at(500).steps(), ["wait 1500"]);
        assert_eq!(link.at(1_500).steps(), ["end"]);
    }
}
