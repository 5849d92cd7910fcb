//! The phases of a load.

use serde::{Deserialize, Serialize};

/// A part of the measured load, relative to the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseName {
    /// Until the first step of the first fault or deploy; without one, the whole load.
    Before,
    /// From there to the end of the last fault or deploy.
    During,
    /// From that end until the target was steady again.
    Recovery,
    /// From then on.
    After,
}

impl PhaseName {
    /// Every phase, in the order of time.
    pub const ALL: [PhaseName; 4] = [PhaseName::Before, PhaseName::During, PhaseName::Recovery, PhaseName::After];

    /// Its name in scenarios, `run.json` and reports.
    pub fn name(self) -> &'static str {
        match self {
            PhaseName::Before => "before",
            PhaseName::During => "during",
            PhaseName::Recovery => "recovery",
            PhaseName::After => "after",
        }
    }
}
