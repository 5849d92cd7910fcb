//! Its seam is in `redis_store/connector.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "late-writes-land",
    about: "The connection before is not closed on the server: a write that timed out is carried out after later ones.",
    source: "redis/ioredis autoResendUnfulfilledCommands; rack/rack GHSA-9j94-67jr-4cqj (a slow save after the fact)",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
