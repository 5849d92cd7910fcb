//! A whole history: its head, its operations and what happened beside them.

use std::num::NonZeroU32;

use super::note::Note;
use super::op::{OpBatch, SessionNo};

/// The header of a history: enough to judge it without the scenario.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Header {
    /// Format version of the file.
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// The seed everything was derived from.
    pub seed: u64,
    /// Lifetime of a session after its last use, in nanoseconds.
    pub ttl_ns: i64,
    /// How far Redis's and the harness's view of an expiry may lie apart, in nanoseconds.
    pub ttl_slack_ns: i64,
    /// Whether a read extends the life of a session.
    pub sliding: bool,
    /// How many sessions each user has: session n is one of user n divided by this, rounded down. At least 1, which
    /// versions before 3 had always.
    #[serde(default = "one")]
    pub sessions_per_user: NonZeroU32,
    /// Wall clock at the epoch, milliseconds since 1970-01-01 UTC.
    pub epoch_ms: i64,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

impl Header {
    /// The user whose session `session` is.
    pub fn user_of(&self, session: SessionNo) -> u32 {
        session / self.sessions_per_user
    }
}

/// A whole history in memory, as the checkers take it.
#[derive(Debug, Clone)]
pub struct History {
    /// Its head.
    pub header: Header,
    /// The operations, sorted by [`OpRecord::started`].
    pub ops: OpBatch,
    /// What happened beside them, sorted by time.
    pub notes: Vec<Note>,
}
