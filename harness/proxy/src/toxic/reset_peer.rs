//! `reset_peer`: `timeout` milliseconds after the first data, both sides are reset (a TCP RST, not a close).
//!
//! ```text
//! in   ▮
//!      ├─ timeout ─▶ RST
//! out                RST
//! ```
//!
//! Data that arrives before that is held, so that the connection survives if the toxic is removed in time.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::kind::ToxicKind;
use super::stage::{Inbox, Stage, Step, ToxicRng, after, whole};

/// Attributes of the `reset_peer` toxic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResetPeer {
    /// Milliseconds from the first data, or the end of the stream, to the reset.
    pub timeout: i64,
}

impl ToxicKind for ResetPeer {
    const NAME: &'static str = "reset_peer";
    const ABOUT: &'static str = "Both sides are reset `timeout` milliseconds after the first data.";

    fn stage(&self, _rng: ToxicRng, _now: Instant) -> Box<dyn Stage> {
        Box::new(*self)
    }
}

impl Stage for ResetPeer {
    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        let Some(touched) = inbox.touched() else { return Step::Wait(None) };
        let due = after(touched, Duration::from_millis(whole(self.timeout)));
        if now < due { Step::Wait(Some(due)) } else { Step::Reset }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::testing::Bench;
    use super::*;

    #[test]
    fn the_first_data_starts_the_clock() {
        let mut link = Bench::new(|_| ResetPeer { timeout: 50 });
        assert_eq!(link.at(1_000).steps(), ["wait"]);
        link.at(1_000).push(b"hello");
        link.at(1_040).push(b"more");
        assert_eq!(link.at(1_040).steps(), ["wait 1050"]);
        assert_eq!(link.at(1_050).steps(), ["reset"]);
        assert_eq!(link.inbox.held(), 9);
    }

    #[test]
    fn timeout_zero_resets_on_the_first_data() {
        let mut link = Bench::new(|_| ResetPeer { timeout: 0 });
        link.at(7).push(b"hello");
        assert_eq!(link.at(7).steps(), ["reset"]);
    }

    #[test]
    fn the_end_of_the_stream_becomes_a_reset() {
        let mut link = Bench::new(|_| ResetPeer { timeout: 0 });
        link.at(7).end();
        assert_eq!(link.at(7).steps(), ["reset"]);
    }
}
