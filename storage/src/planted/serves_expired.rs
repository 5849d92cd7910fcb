//! Its seam is in `fallback/cache/copy.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "serves-expired",
    about: "A copy answers although its lifetime is over.",
    source: "reference system T (memory ignores its TTL)",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain ttl 800 fixed-ttl\n\
         0 p0 create s0\n\
         100 p0 part refused\n\
         1500 p0 get s0\n\
         1700 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
