//! `dual-write` is `drain` whose memory is a store of its own: with Redis away a session that memory does not have is "not
//! found"; with Redis there, a session that Redis does not have and memory does is carried over before the call is answered.

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
