//! Its seam is in `fallback/cache/mod.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "memory-without-bound",
    about: "Memory takes more sessions than its capacity: it grows for as long as an outage lasts.",
    source: "redis/node-redis#1039 (an unbounded queue)",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
