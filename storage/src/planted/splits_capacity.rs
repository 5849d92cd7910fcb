//! Its seam is in `fallback/cache/mod.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "splits-capacity",
    about: "The capacity of memory is divided evenly over its shards, so sessions are refused although there is room.",
    source: "this store before its review, K6",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 78 policy drain capacity 4096\n\
         200 p0 part refused\n\
         230 p0 fill 4090\n\
         900 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
