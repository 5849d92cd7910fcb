//! Its seam is in `breaker.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "timeouts-count-as-answers",
    about: "The circuit breaker does not count calls that got no answer in time: every caller waits for the whole deadline.",
    source: "lettuce-io/lettuce-core#2082; reference system T, T8",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
