//! Whether the load generator delivered: if not, no other number of a run means anything.

use serde::{Deserialize, Serialize};

/// What the load generator was to do, and what it did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Operations per second that the scenario asked for, averaged over the load; absent for a closed loop, which has no
    /// target rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_rate: Option<f64>,
    /// Operations per second that were settled before the load was over, averaged over the load. (Format version 1,
    /// `achieved_rate`: those that were started.)
    #[serde(alias = "achieved_rate")]
    pub delivered_rate: f64,
    /// Operations that the plan held; for a closed loop, those that came to be.
    pub planned: u64,
    /// Operations started.
    pub started: u64,
    /// Operations that the target settled, whatever the outcome.
    pub completed: u64,
    /// Of these, operations settled before the load was over.
    #[serde(default)]
    pub in_time: u64,
    /// Operations planned and never started.
    pub dropped: u64,
    /// Operations that the generator settled as `unknown` because the target had not by their deadline.
    pub abandoned: u64,
    /// The latest start of an operation after its planned instant, in milliseconds.
    pub max_slip_ms: f64,
    /// The 99th percentile of the same.
    pub p99_slip_ms: f64,
    /// The generator's CPU use in percent of all cores it may use: 100 is all of them, all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Cores it may use.
    pub cores: u32,
    /// Whether the generator, not the target, was the bottleneck.
    pub saturated: bool,
    /// What a reader should know beside it; may be empty.
    #[serde(default)]
    pub note: String,
}
