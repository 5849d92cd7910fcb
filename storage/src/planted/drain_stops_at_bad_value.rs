//! Its seam is in `fallback/recovery.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "drain-stops-at-bad-value",
    about: "One session that cannot be written back stops the drain of all others.",
    source: "spring-projects/spring-session#1939; reference system C (one bad value cannot be deleted)",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
