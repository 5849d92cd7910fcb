//! `read-only` keeps reads alive: memory answers them from warm copies, as under `drain`. Writes fail with a typed error, certainly
//! without effect, so the process can die in the outage without losing anything that it acknowledged.

use super::{Answers, Rules};

pub(super) const RULES: Rules = Rules {
    name: "read-only",
    row: [
        "memory answers reads, marked as served by the fallback; writes get a typed error",
        "Redis answers; lifetimes that reads extended are written back",
        "nothing that was acknowledged, even if the process dies in the outage",
    ],
    uses_redis: true,
    takes_over: true,
    answers: Answers::KnownReads,
    keeps_copies: true,
    forgets: false,
    lets_go: false,
    writes_both: false,
};
