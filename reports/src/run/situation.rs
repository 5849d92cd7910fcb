//! What must have happened for a drill to mean something, and what operations met in which state of the target.

use serde::{Deserialize, Serialize};

use super::phase::OutcomeCounts;

/// Something that a scenario says must have happened, and how often it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Situation {
    /// Its name in the scenario, such as `unknown.append`.
    pub name: String,
    /// How often it must have happened, as the scenario writes it, such as `>= 10`.
    pub wanted: String,
    /// How often it did.
    pub found: u64,
    /// The same for people, such as `3 appends of unknown outcome`.
    pub found_text: String,
    /// Whether that is enough.
    pub met: bool,
}

/// How the operations of one kind ended that were sent in one state of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The state: [`CONNECTED`](Self::CONNECTED) or [`FALLBACK`](Self::FALLBACK) where a fallback took over, else the phase.
    pub state: String,
    /// The operation, such as `append`.
    pub op: String,
    /// How they ended; all 0 where there was none.
    pub outcomes: OutcomeCounts,
}

impl Reached {
    /// The state of a target whose fallback was not active.
    pub const CONNECTED: &str = "connected";
    /// The state of a target whose fallback was active.
    pub const FALLBACK: &str = "fallback active";
}
