//! Its seam is in `fallback/store.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "reads-old-as-new",
    about: "A read that is older than the copy in memory gets the copy's version, so an update by it overwrites what it has not seen.",
    source: "aspnet/Session#60; this store before its review, K12",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1338 policy drain\n\
         91 p0 create s0\n\
         495 freeze\n\
         508 p0 touch s0\n\
         699 p0 update s0\n\
         761 p0 append s0",
    ),
    keeps_contract: true,
    lua: None,
};
