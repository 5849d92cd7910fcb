//! Its seam is in `fallback/cache/copy.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "never-slides-in-memory",
    about: "A read in an outage does not extend the lifetime.",
    source: "tj/connect-redis#144; reference system T, T7",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
