//! Its seam is in `redis_store/connector.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "serves-from-replica",
    about: "A server that says it is a replica is taken for the primary.",
    source: "n8n-io/n8n#25038; reference system C, C7",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
