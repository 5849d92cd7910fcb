//! Its seam is in `fallback/cache/mod.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "evicts-unsaved",
    about: "Full memory evicts a session that Redis does not have, and counts it as a copy.",
    source: "dimagi/commcare-cloud#1865 (eviction logs users out); reference system C, C8",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain capacity 3\n\
         10 p0 part refused\n\
         100 p0 create s0\n\
         120 p0 create s1\n\
         140 p0 create s2\n\
         160 p0 create s3\n\
         180 p0 create s4\n\
         400 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
