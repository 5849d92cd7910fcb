//! A whole history: its header, its operations and its notes.

use std::num::NonZeroU32;

use super::note::Note;
use super::op::{OpBatch, Process, SessionNo};

/// The header of a history: enough to judge it without the scenario.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Header {
    /// Format version of the file.
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// The seed of all random draws.
    pub seed: u64,
    /// Lifetime of a session after its last use, in nanoseconds.
    pub ttl_ns: i64,
    /// How far apart Redis and the harness may see an expiry, in nanoseconds.
    pub ttl_slack_ns: i64,
    /// Whether a read extends the life of a session.
    pub sliding: bool,
    /// The number of sessions per user: session n belongs to user n divided by this, rounded down. At least 1, which is
    /// what versions before 3 always had.
    #[serde(default = "one")]
    pub sessions_per_user: NonZeroU32,
    /// The number of stores that shared the load. If there are several, the process of an operation is the store that carried it.
    #[serde(default = "one")]
    pub instances: NonZeroU32,
    /// Whether a session is a number, to which increments add: a read then has one token, the number.
    #[serde(default)]
    pub counter: bool,
    /// Wall clock at the epoch, milliseconds since 1970-01-01 UTC.
    pub epoch_ms: i64,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

impl Header {
    /// The user that owns `session`.
    pub fn user_of(&self, session: SessionNo) -> u32 {
        session / self.sessions_per_user
    }

    /// The store that carried the operations of `process`.
    pub fn instance_of(&self, process: Process) -> u32 {
        process % self.instances
    }
}

/// A whole history in memory, in the form that checkers take.
#[derive(Debug, Clone)]
pub struct History {
    /// The header.
    pub header: Header,
    /// The operations, sorted by [`OpRecord::started`].
    pub ops: OpBatch,
    /// Events besides the operations, sorted by time.
    pub notes: Vec<Note>,
}
