//! Its seam is in `fallback/store.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "pays-deadline-twice",
    about: "Each step of a call gets the full time of a call.",
    source: "lettuce-io/lettuce-core#2082; this store before its review, K8",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy dual-write\n\
         0 p0 create s0\n\
         100 evict s0\n\
         200 p0 doom late-answer 150\n\
         210 p0 get s0\n\
         300 freeze\n\
         700 thaw",
    ),
    keeps_contract: true,
    lua: None,
};
