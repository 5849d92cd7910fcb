//! Its seam is in `redis_store/failure.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "keeps-readonly-connection",
    about: "After READONLY the connection to the demoted primary is kept.",
    source: "n8n-io/n8n#25038",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
