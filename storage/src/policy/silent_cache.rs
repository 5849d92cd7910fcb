//! `silent-cache` finds nothing and drops writes. A dropped write or deletion leaves an older value in Redis. So the
//! store remembers these ids (at most as many as memory holds sessions; the least recently used are dropped, which is
//! reported), and removes the sessions from Redis before it answers for them again. A cache may lose any value, but
//! must not show one that was replaced; and users who logged out in the outage stay logged out.

use super::{Answers, Rules};

pub(super) const RULES: Rules = Rules {
    name: "silent-cache",
    row: [
        "nothing is found, writes are dropped (acknowledged at version 0, marked as served by the fallback), nothing fails",
        "Redis answers, without the sessions whose writes or deletions were dropped",
        "what was written in the outage: counted, as `Event::Dropped`. No replaced or destroyed value ever comes back",
    ],
    uses_redis: true,
    takes_over: true,
    answers: Answers::Nothing,
    keeps_copies: false,
    forgets: false,
    lets_go: true,
    writes_both: false,
};
