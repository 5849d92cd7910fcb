//! What was done to the target, as observed, and what its fallback did about it.

use serde::{Deserialize, Serialize};

/// One fault: what was planned, and what was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Its position in the scenario, from 0.
    pub index: u32,
    /// Its name in the scenario; its position if it has none.
    #[serde(default)]
    pub name: String,
    /// Its kind, such as `proxy.down`.
    pub kind: String,
    /// Its parameters for people, such as `50 ms ± 10 ms downstream`; may be empty.
    #[serde(default)]
    pub detail: String,
    /// When it was to begin.
    pub planned_at_ms: f64,
    /// How long it was to last; absent for faults that are an instant (a kill).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_for_ms: Option<f64>,
    /// When it took hold, as observed; absent when it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onset_ms: Option<f64>,
    /// When it was undone, as observed; absent when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ms: Option<f64>,
    /// Whether it demonstrably did harm.
    pub bit: bool,
    /// The evidence, or what was not found: one sentence.
    #[serde(default)]
    pub evidence: String,
}

/// What the store's fallback did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fallback {
    /// Every time it took over.
    #[serde(default)]
    pub activations: Vec<Activation>,
    /// What was written back, over all activations.
    #[serde(default)]
    pub drained: Drained,
    /// Sessions that the store dropped without having written them to Redis.
    #[serde(default)]
    pub sessions_lost: u64,
}

/// One time that the fallback took over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// When it took over.
    pub started_ms: f64,
    /// When it was over; absent when it still was active at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<f64>,
    /// What the first failing call saw.
    #[serde(default)]
    pub cause: String,
    /// Operations that it answered.
    pub served: u64,
    /// Whether no fault or deploy was on, nor the recovery from one, when it took over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unprovoked: bool,
}

/// What a fallback wrote back to Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Sessions written back.
    pub written: u64,
    /// Deletions carried out.
    pub deleted: u64,
    /// Sessions whose two copies were merged.
    pub merged: u64,
    /// Items that no merge could keep.
    pub lost: u64,
}
