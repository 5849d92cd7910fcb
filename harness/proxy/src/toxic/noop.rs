//! `noop`: data passes unchanged. It is a stage like any other, so it shows what a toxic costs that does nothing.
//!
//! ```text
//! in   ▮▮▮▮  ▮
//! out  ▮▮▮▮  ▮
//! ```

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::kind::ToxicKind;
use super::stage::{Inbox, Stage, Step, ToxicRng};

/// The `noop` toxic, which has no attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noop {}

impl ToxicKind for Noop {
    const NAME: &'static str = "noop";
    const ABOUT: &'static str = "Data passes unchanged.";

    fn stage(&self, _rng: ToxicRng, _now: Instant) -> Box<dyn Stage> {
        Box::new(*self)
    }
}

impl Stage for Noop {
    fn step(&mut self, inbox: &mut Inbox, _now: Instant) -> Step {
        inbox.forward()
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::testing::Bench;
    use super::*;

    #[test]
    fn chunks_and_the_end_pass_at_once_and_as_they_are() {
        let mut link = Bench::new(|_| Noop {});
        link.at(0).push(b"re").more(b"ply");
        assert_eq!(link.at(0).steps(), ["re", "ply", "wait"]);
        link.at(1).push(b"bye").end();
        assert_eq!(link.at(1).steps(), ["bye", "end"]);
    }
}
