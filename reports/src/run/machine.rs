//! What the machine did to the drill: when it kept the harness from running.

use serde::{Deserialize, Serialize};

/// When the machine kept the harness from running. The lateness that it explains is not held against the target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The stalls, by time; shorter ones are not recorded.
    #[serde(default)]
    pub stalls: Vec<Stall>,
}

/// A time in which threads of the harness were ready to run and did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    /// Its beginning, on the drill's clock in milliseconds.
    pub from_ms: f64,
    /// Its end.
    pub to_ms: f64,
    /// For how much of it the thread that was kept waiting the longest did not run.
    pub denied_ms: f64,
}

impl Machine {
    /// Time denied in all, in milliseconds.
    pub fn denied_ms(&self) -> f64 {
        self.stalls.iter().map(|stall| stall.denied_ms).sum()
    }

    /// The longest single stall, in milliseconds.
    pub fn longest_ms(&self) -> f64 {
        self.stalls.iter().map(|stall| stall.denied_ms).fold(0.0, f64::max)
    }
}
