//! Its seam is in `fallback/inner.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "hides-dropped-writes",
    about: "Under silent-cache no dropped write is counted.",
    source: "reference system S, S3 (what a silent cache drops is known to nobody)",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
