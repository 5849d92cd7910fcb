//! The phases of a load.

use serde::{Deserialize, Serialize};

/// A part of the measured load, by its place beside the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseName {
    /// Until the first fault took hold; the whole load when there is no fault.
    Before,
    /// While a fault was on.
    During,
    /// From the end of the last fault until the target was steady again.
    Recovery,
    /// From then on.
    After,
}

impl PhaseName {
    /// Every phase, in the order of time.
    pub const ALL: [PhaseName; 4] = [PhaseName::Before, PhaseName::During, PhaseName::Recovery, PhaseName::After];

    /// The word used in scenarios, `run.json` and reports.
    pub fn name(self) -> &'static str {
        match self {
            PhaseName::Before => "before",
            PhaseName::During => "during",
            PhaseName::Recovery => "recovery",
            PhaseName::After => "after",
        }
    }
}
