//! `timeout`: nothing passes any more, and after `timeout` milliseconds the connection is closed.
//!
//! ```text
//! in   ▮  ▮▮  ▮
//!      ╳  ╳╳  ╳
//! out  ├─ timeout ─▶ closed
//! ```
//!
//! Data is swallowed, as by a dead network. The time runs from when the toxic took hold of the connection.
//! With a timeout of 0 or less the connection stays open and silent. Because data has been swallowed, removing the toxic closes
//! the connections that it held.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::kind::ToxicKind;
use super::stage::{Inbox, Stage, Step, ToxicRng, Undo, after, whole};

/// Attributes of the `timeout` toxic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeout {
    /// Milliseconds until the connection is closed; 0 or less leaves it open.
    pub timeout: i64,
}

impl ToxicKind for Timeout {
    const NAME: &'static str = "timeout";
    const ABOUT: &'static str = "Nothing passes, and the connection is closed after `timeout` milliseconds.";

    fn stage(&self, _rng: ToxicRng, _now: Instant) -> Box<dyn Stage> {
        Box::new(*self)
    }
}

impl Stage for Timeout {
    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        inbox.swallow();
        let due = (self.timeout > 0).then(|| after(inbox.since(), Duration::from_millis(whole(self.timeout))));
        if due.is_some_and(|due| now >= due) {
            return Step::Close;
        }
        match inbox.forward() {
            Step::Wait(_) => Step::Wait(due),
            ended => ended,
        }
    }

    fn undo(&self) -> Undo {
        Undo::Close
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::testing::Bench;
    use super::*;

    #[test]
    fn data_is_swallowed_and_the_connection_closed_in_time_however_much_is_sent() {
        let mut link = Bench::new(|_| Timeout { timeout: 100 });
        link.at(0).push(b"lost");
        assert_eq!(link.at(0).steps(), ["wait 100"]);
        link.at(90).push(b"also lost");
        assert_eq!(link.at(99).steps(), ["wait 100"]);
        assert_eq!(link.at(100).steps(), ["close"]);
        assert_eq!(link.inbox.take_swallowed(), 13);
    }

    #[test]
    fn timeout_zero_stays_open_and_silent() {
        let mut link = Bench::new(|_| Timeout { timeout: 0 });
        link.at(0).push(b"lost");
        assert_eq!(link.at(3_600_000).steps(), ["wait"]);
    }

    #[test]
    fn the_end_of_the_stream_passes() {
        let mut link = Bench::new(|_| Timeout { timeout: 0 });
        link.at(5).push(b"lost").end();
        assert_eq!(link.at(5).steps(), ["end"]);
    }

    #[test]
    fn undoing_it_closes_the_connection() {
        assert_eq!(Timeout { timeout: 0 }.undo(), Undo::Close);
    }
}
