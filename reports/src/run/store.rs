//! The store apart from its fallback: policy switches, the circuit breaker, and the sessions that users could not find.

use serde::{Deserialize, Serialize};

use super::fault::Drained;

/// What the store under test reported.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreEvents {
    /// Every change of its policy during the drill.
    pub deploys: Vec<Deploy>,
    /// What was carried over from memory to Redis after such changes.
    pub carried_over: Drained,
    /// Every time that its circuit breaker was not closed.
    pub breaker: Vec<BreakerOutage>,
    /// Reads that found nothing though the session was never destroyed.
    pub missing: Missing,
    /// Sessions that existed nowhere else and had to make room for others in memory.
    pub evicted: u64,
    /// Writes that a silent cache has dropped.
    pub dropped: u64,
}

/// A change of the store's policy while the load ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deploy {
    /// When.
    pub at_ms: f64,
    /// The policy before.
    pub from: String,
    /// The policy from then on.
    pub to: String,
}

/// One time that the circuit breaker was not closed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakerOutage {
    /// When it opened first.
    pub opened_ms: f64,
    /// When it was closed again; absent when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_ms: Option<f64>,
    /// How often it opened, failed probes included.
    pub opens: u64,
    /// Probes let through.
    pub probes: u64,
}

/// Reads that found nothing though the session was never destroyed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// How many reads.
    pub reads: u64,
    /// Of how many sessions.
    pub sessions: u64,
    /// When the first of these reads began; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<f64>,
    /// When the last of them ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<f64>,
}
