//! Its seam is in `redis_store/request.rs`.

use super::{Noticed, Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "scripts-not-resent",
    about: "A script that the server has forgotten is not sent again.",
    source: "redis.io/docs/latest/develop/programmability/eval-intro (script cache volatility); reference system C, C2",
    scenarios: &[Noticed { scenario: "scripts-forgotten", by: "gates all.errors and recovery" }],
    shown_by: Shown::Probe,
    keeps_contract: false,
    lua: None,
};
