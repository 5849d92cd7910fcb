//! Its seam is in `redis_store/link.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "timeout-keeps-connection",
    about: "A connection on which a call got no answer is kept: every later call waits on it, too.",
    source: "redis-rs/redis-rs#275, redis/ioredis#1318",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
