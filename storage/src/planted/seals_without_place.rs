//! Its seam is in `redis_store/sealed.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "seals-without-place",
    about: "An encrypted value is not bound to its session: it can be moved to another id.",
    source: "NIST SP 800-38D (additional authenticated data); reference system R, R2",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
