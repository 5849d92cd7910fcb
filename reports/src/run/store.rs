//! The store apart from its fallback: policy switches, the circuit breaker, and the sessions that users could not find.

use serde::{Deserialize, Serialize};

use super::fault::Drained;

/// What the store under test reported.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreEvents {
    /// Every policy change during the drill.
    pub deploys: Vec<Deploy>,
    /// What was carried over from memory to Redis after such changes.
    pub carried_over: Drained,
    /// Every period in which its circuit breaker was not closed.
    pub breaker: Vec<BreakerOutage>,
    /// Reads that found nothing although the session was never destroyed.
    pub missing: Missing,
    /// Sessions that existed nowhere else and were evicted from memory to make room.
    pub evicted: u64,
    /// Writes that a silent cache dropped.
    pub dropped: u64,
    /// The most events that the store reported within a second.
    pub told: u64,
}

/// A policy change during the load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deploy {
    /// When it happened.
    pub at_ms: f64,
    /// The policy before.
    pub from: String,
    /// The policy afterwards.
    pub to: String,
}

/// One period in which the circuit breaker was not closed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakerOutage {
    /// When it first opened.
    pub opened_ms: f64,
    /// When it closed again; absent if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_ms: Option<f64>,
    /// How often it opened, including failed probes.
    pub opens: u64,
    /// Probes that were let through.
    pub probes: u64,
    /// The most probes that were let through while it was half-open once, before the first of them ended.
    #[serde(default)]
    pub at_once: u64,
}

/// Reads that found nothing although the session was never destroyed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// The number of reads.
    pub reads: u64,
    /// The number of sessions.
    pub sessions: u64,
    /// When the first of these reads started; absent if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<f64>,
    /// When the last of these reads ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<f64>,
}
