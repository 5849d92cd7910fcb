//! Its seam is in `fallback/cache/heard.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "overwrites-update",
    about: "Of two updates from one version, the one made in memory replaces the one in Redis.",
    source: "fastify/session#237; this store before its review, K12",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         50 p0 update s0\n\
         100 p0 update s0 slow 40\n\
         150 crash 0\n\
         160 p0 update s0\n\
         400 restart",
    ),
    keeps_contract: true,
    lua: None,
};
