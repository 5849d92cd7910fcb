//! What the drill meant to the users: sessions that lost something, were not found, were refused or had to wait.

use serde::{Deserialize, Serialize};

/// What happened to the sessions of the measured load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    /// Sessions that the load used.
    pub sessions: u64,
    /// Acknowledged writes that are gone at the end, by the check `lost-writes`; absent if that check cannot tell, or judged
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Touched>,
    /// Operations answered "no such session", for a session that must exist.
    pub not_found: Touched,
    /// Operations that failed or have an unknown outcome: their users saw an error, or no answer.
    pub refused: Touched,
    /// Operations that were acknowledged later than `delayed_over_ms` after they were due.
    pub delayed: Touched,
    /// The response time from which an operation counts as delayed.
    pub delayed_over_ms: f64,
}

/// The sessions and operations that something happened to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Touched {
    /// How many sessions.
    pub sessions: u64,
    /// How many of their operations.
    pub operations: u64,
    /// When the first of these operations was due (of a lost write: was acknowledged); absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<f64>,
    /// When the last of them ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<f64>,
    /// The longest that it lasted for one session: from when the first of its operations was due until one went well
    /// again, or until it had ended for all sessions. Absent for lost writes, which stay lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_ms: Option<f64>,
}
