//! Its seam is in `fallback/cache/forgotten.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "installs-stale-read",
    about: "A read that is older than an acknowledged write makes a copy without that write.",
    source: "tj/connect-redis#285; this store before its review, K11",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain processes 2\n\
         0 p1 create s0\n\
         90 p0 delay 20\n\
         101 p0 get s0\n\
         103 p0 append s0\n\
         400 p0 part refused\n\
         500 p0 get s0\n\
         900 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
