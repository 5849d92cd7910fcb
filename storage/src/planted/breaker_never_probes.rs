//! Its seam is in `breaker.rs`.

use super::{Noticed, Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "breaker-never-probes",
    about: "Once open, the circuit breaker stays open.",
    source: "resilience4j/resilience4j#544",
    scenarios: &[Noticed { scenario: "breaker-recovery", by: "gate recovery" }],
    shown_by: Shown::Schedule(
        "seed 1 policy drain breaker\n\
         0 p0 create s0\n\
         100 freeze\n\
         110 p0 append s0\n\
         111 p0 append s0\n\
         112 p0 append s0\n\
         113 p0 append s0\n\
         500 thaw",
    ),
    keeps_contract: true,
    lua: None,
};
