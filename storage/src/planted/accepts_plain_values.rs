//! Its seam is in `redis_store/sealed.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "accepts-plain-values",
    about: "A store with keys reads values that are not encrypted.",
    source: "reference system R, R2 (nothing readable at rest)",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
