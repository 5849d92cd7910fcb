//! Its seam is in `fallback/cache/pending.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "lets-merges-panic",
    about: "A panic of the session data's own merge is not caught, so a session is never written back.",
    source: "redis/redis-py#2624 (half a change stays behind); this store before its review, K4",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         50 p0 update s0\n\
         100 p0 update s0 slow 40\n\
         150 crash 0\n\
         160 p0 update s0\n\
         161 panic\n\
         400 restart",
    ),
    keeps_contract: true,
    lua: None,
};
