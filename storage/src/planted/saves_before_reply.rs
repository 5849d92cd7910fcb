//! Its seam is in `fallback/recovery.rs`.

use super::{Noticed, Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "saves-before-reply",
    about: "A session counts as written back before Redis has replied, so a drain that is cut short loses it.",
    source: "redis/ioredis#76; reference system T (the fallback map is never drained)",
    scenarios: &[Noticed { scenario: "flapping-network", by: "checkers lost-writes and read-your-writes" }],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         100 p0 part refused\n\
         300 p0 append s0\n\
         590 p0 doom late 1\n\
         590 p0 doom late 1\n\
         590 p0 doom late 1\n\
         590 p0 doom cut-before\n\
         600 p0 mend\n\
         2000 p0 get s0",
    ),
    keeps_contract: true,
    lua: None,
};
