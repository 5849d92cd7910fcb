//! Its seams are in `redis_store/failure.rs` and `redis_store/servers.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "resends-unknown",
    about: "A write whose reply was lost is sent again: what it did itself is then reported as another's.",
    source: "redis/ioredis autoResendUnfulfilledCommands",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy fail-fast\n\
         0 p0 create s1\n\
         100 p0 doom cut-after\n\
         110 p0 create s0",
    ),
    keeps_contract: true,
    lua: None,
};
