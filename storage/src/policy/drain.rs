//! `drain` keeps the promise that nothing acknowledged is lost while the process lives. Sessions used before the outage are
//! answered from a bounded warm copy; a session the process cannot know is asked of Redis if there is a connection (Redis may
//! refuse writes and still read), else it is `Unavailable`, never "not found". When Redis takes writes again, a session still
//! dirty is answered from memory until it is written back, then from Redis.

use super::{Answers, Rules};

pub(super) const RULES: Rules = Rules {
    name: "drain",
    row: [
        "memory answers, marked as served by the fallback",
        "what was written is written back, deletions too, then Redis answers",
        "nothing that was acknowledged, while the process lives",
    ],
    uses_redis: true,
    takes_over: true,
    answers: Answers::Known,
    keeps_copies: true,
    forgets: false,
    lets_go: false,
    writes_both: false,
};
