//! `dual-write` is `drain` with memory as a store of its own. While Redis is away, a session that memory lacks is "not
//! found". While Redis is there, a session that Redis lacks and memory has is carried over before the call is answered.

use super::{Answers, Rules};

pub(super) const RULES: Rules = Rules {
    name: "dual-write",
    row: [
        "memory answers; a session it does not have is \"not found\"",
        "what Redis lacks or has in an older version is copied to it, deletions too",
        "nothing that was acknowledged, while the process lives",
    ],
    uses_redis: true,
    takes_over: true,
    answers: Answers::KnownOrNone,
    keeps_copies: true,
    forgets: false,
    lets_go: false,
    writes_both: true,
};
