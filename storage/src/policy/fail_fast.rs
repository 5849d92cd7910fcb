//! `fail-fast` returns a typed error, which says whether there may have been an effect, and keeps nothing in memory.

use super::{Answers, Rules};

pub(super) const RULES: Rules = Rules {
    name: "fail-fast",
    row: ["a typed error", "Redis answers at once", "nothing that was acknowledged"],
    uses_redis: true,
    takes_over: false,
    answers: Answers::Known,
    keeps_copies: false,
    forgets: false,
    lets_go: false,
    writes_both: false,
};
