//! Whether the load generator delivered: if not, no other number of a run means anything.

use serde::{Deserialize, Serialize};

/// What the load generator was supposed to do, and what it did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Operations per second requested by the scenario, averaged over the load; absent for a closed loop, which has no
    /// target rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_rate: Option<f64>,
    /// Operations per second settled before the load ended, averaged over the load. (Format version 1, `achieved_rate`:
    /// those started.)
    #[serde(alias = "achieved_rate")]
    pub delivered_rate: f64,
    /// Planned operations; for a closed loop, those that came about.
    pub planned: u64,
    /// Started operations.
    pub started: u64,
    /// Operations with an outcome, including those that the generator settled as `unknown`.
    pub completed: u64,
    /// Completed operations that were settled before the load ended.
    #[serde(default)]
    pub in_time: u64,
    /// Operations that were planned but never started.
    pub dropped: u64,
    /// Operations that the generator settled as `unknown` because the target missed their deadline.
    pub abandoned: u64,
    /// The latest start of an operation after its planned instant, in milliseconds.
    pub max_slip_ms: f64,
    /// The 99th percentile of that delay.
    pub p99_slip_ms: f64,
    /// The generator's CPU use in percent of all cores it may use: 100 means all of them, all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Cores it may use.
    pub cores: u32,
    /// Whether the generator, not the target, was the bottleneck.
    pub saturated: bool,
    /// A remark for the reader; may be empty.
    #[serde(default)]
    pub note: String,
}

/// The figures of a run represent its load only if at least this share of the planned operations started.
const STARTED: f64 = 0.95;

impl Generator {
    /// Whether so few of the planned operations started that the other figures do not represent the load.
    pub fn fell_short(&self) -> bool {
        self.started == 0 || (self.started as f64) < self.planned as f64 * STARTED
    }
}
