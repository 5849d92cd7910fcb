//! Its seam is in `redis_store/link.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "reconnects-without-pause",
    about: "Attempts to connect follow each other without a pause.",
    source: "redis/ioredis#1854",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
