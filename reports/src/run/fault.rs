//! What was done to the target, as observed, and how its fallback reacted.

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
    /// Its parameters in words, such as `50 ms ± 10 ms downstream`; may be empty.
    #[serde(default)]
    pub detail: String,
    /// The planned start; of a fault that waits for a state of the store, when the wait began.
    pub planned_at_ms: f64,
    /// The planned duration; absent where the end was not planned: for instantaneous faults (a kill), and for those that wait
    /// for a state of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_for_ms: Option<f64>,
    /// What it hit, as far as it chose: `server 2 of 3 (127.0.0.1:6380)`, `the application`; empty if it never began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hit: Vec<String>,
    /// When it was seen to take hold; absent if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onset_ms: Option<f64>,
    /// When it was seen to be undone; absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ms: Option<f64>,
    /// Whether it demonstrably did harm.
    pub bit: bool,
    /// The evidence, or what was not found; one sentence.
    #[serde(default)]
    pub evidence: String,
    /// What went wrong with the fault itself: it could not be injected, or not be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether a person started and ended it, in this run or in the one that it repeats; `planned_at_ms` and
    /// `planned_for_ms` are then when they did. Without `planned_for_ms`, nobody started it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
}

/// What the store's fallback did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fallback {
    /// Every activation.
    #[serde(default)]
    pub activations: Vec<Activation>,
    /// What was written back, over all activations.
    #[serde(default)]
    pub drained: Drained,
    /// Sessions that the store dropped before they reached Redis.
    #[serde(default)]
    pub sessions_lost: u64,
}

/// One activation of the fallback.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// When it took over.
    pub started_ms: f64,
    /// When it ended; absent if it was still active at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<f64>,
    /// When it first began to write back what Redis lacked; absent if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_from_ms: Option<f64>,
    /// Why the first failing call failed.
    #[serde(default)]
    pub cause: String,
    /// Operations that it answered.
    pub served: u64,
    /// Whether it took over outside of any fault or deploy, and of the recovery from one.
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
