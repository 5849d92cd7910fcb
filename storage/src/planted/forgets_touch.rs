//! Its seam is in `fallback/cache/copy.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "forgets-touch",
    about: "A touch in an outage is not carried to Redis, where the session then ends too early.",
    source: "tj/connect-redis#144, reference system T, T7",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
