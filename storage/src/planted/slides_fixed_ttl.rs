//! Its seam is in `fallback/cache/copy.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "slides-fixed-ttl",
    about: "A read in an outage extends the lifetime of a session that does not slide.",
    source: "tj/connect-redis#144; this store before its review, K9",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain ttl 800 fixed-ttl\n\
         0 p0 create s0\n\
         100 p0 part refused\n\
         500 p0 get s0\n\
         1100 p0 get s0\n\
         1300 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
