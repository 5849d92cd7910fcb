//! `memory` does not use Redis: it is the rollback. It is a fallback policy for the sake of switches under traffic; see
//! [`Switchable`](crate::Switchable).

use super::{Answers, Rules};

pub(super) const RULES: Rules = Rules {
    name: "memory",
    row: [
        "Redis is not used",
        "Redis is not used",
        "everything on restart; the least recently used where memory is full: counted, as `Event::Evicted`",
    ],
    uses_redis: false,
    takes_over: true,
    answers: Answers::All,
    keeps_copies: true,
    forgets: false,
    lets_go: true,
    writes_both: false,
};
