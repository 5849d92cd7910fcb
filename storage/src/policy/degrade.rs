//! `degrade` is the trivia game's plan as its note has it: memory answers, and is forgotten when Redis is back. What it held is
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
