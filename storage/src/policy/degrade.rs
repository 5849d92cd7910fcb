//! `degrade` follows the trivia game's design note: memory answers, and is dropped when Redis is back. Its content is
//! lost, and counted.

use super::{Answers, Rules};

pub(super) const RULES: Rules = Rules {
    name: "degrade",
    row: ["memory answers", "memory is forgotten", "what was written in the outage: counted, as `Event::Lost`"],
    uses_redis: true,
    takes_over: true,
    answers: Answers::AllForNow,
    keeps_copies: false,
    forgets: true,
    lets_go: true,
    writes_both: false,
};
