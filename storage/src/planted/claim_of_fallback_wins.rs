//! Its seam is in `record/trivia.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "claim-of-fallback-wins",
    about: "When two copies of a session meet, the claim made in the outage replaces the one that Redis had: a reward is paid twice.",
    source: "reference system T (progressionAwarded must flip exactly once)",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: None,
};
