//! Its seam is in `redis_store/servers.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "retries-past-deadline",
    about: "Retries go on after the deadline of the call.",
    source: "lettuce-io/lettuce-core#2082; reference system C, C7",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
