//! Its seam is in `breaker.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "bad-values-open-breaker",
    about: "An error about one session's value counts as a failure of Redis: a bad value opens the circuit breaker for everybody.",
    source: "resilience4j/resilience4j#2093; reference system T, T8",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
