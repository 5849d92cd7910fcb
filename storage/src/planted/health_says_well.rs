//! Its seam is in `fallback/store.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "health-says-well",
    about: "Health says connected whatever Redis does.",
    source: "spring-projects/spring-boot#15542",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
