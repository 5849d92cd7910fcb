//! `drain` promises that nothing acknowledged is lost while the process lives. A bounded warm copy answers for sessions
//! used before the outage. For a session that the process cannot know, the store asks Redis if there is a connection
//! (Redis may refuse writes but still serve reads); otherwise it is `Unavailable`, never "not found". Once Redis
//! accepts writes again, memory answers for a dirty session until it is written back, then Redis does.

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
