//! The machine's effect on the drill: when it kept the harness from running.

use serde::{Deserialize, Serialize};

/// When the machine kept the harness from running. Delays that it explains are not held against the target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The stalls, ordered by time; short ones are not recorded.
    #[serde(default)]
    pub stalls: Vec<Stall>,
}

/// A period in which threads of the harness were ready to run but did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    /// Its start, on the drill's clock in milliseconds.
    pub from_ms: f64,
    /// Its end.
    pub to_ms: f64,
    /// How long the thread that waited longest did not run.
    pub denied_ms: f64,
}

impl Machine {
    /// The total time denied, in milliseconds.
    pub fn denied_ms(&self) -> f64 {
        self.stalls.iter().map(|stall| stall.denied_ms).sum()
    }

    /// The longest single stall, in milliseconds.
    pub fn longest_ms(&self) -> f64 {
        self.stalls.iter().map(|stall| stall.denied_ms).fold(0.0, f64::max)
    }
}
