//! What sessions take of Redis's memory.

use serde::{Deserialize, Serialize};

/// What sessions take of Redis's memory. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The `maxmemory` of the Redis that was filled.
    pub limit: u64,
    /// The memory of the machine for which a `maxmemory` is recommended.
    pub machine: u64,
    /// The server's allocator, as it names it.
    pub allocator: String,
    /// One for each way in which sessions were stored.
    pub kinds: Vec<Stored>,
}

/// Sessions that were stored in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// `plain`, `encrypted`, or `as the target stores them`.
    pub name: String,
    /// Bytes per session without its share of the tables: estimate, and the bounds of its 90 % interval.
    pub bytes: [f64; 3],
    /// The sessions between which the slope was measured.
    pub between: [u64; 2],
    /// The mean payload that the scenario asked for, bytes per session.
    pub payload: f64,
    /// What the bytes are, for the Redis versions whose structures are known; their sum is the formula's answer.
    pub parts: Vec<Part>,
    /// Bytes per session of the tables of keys and of expiry times, at the limit.
    pub tables: f64,
    /// Sessions within the limit.
    pub fill: Fill,
    /// What saving the full Redis copied; absent if it could not be saved.
    pub save: Option<Save>,
    /// Resident memory that the sessions added, per byte in use that they added; at least 1.
    pub fragmentation: f64,
    /// The `maxmemory` recommended for a machine of [`Memory::machine`] bytes.
    pub maxmemory: f64,
    /// Sessions within it.
    pub sessions: u64,
}

/// Where bytes of a session are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What they are for.
    pub name: String,
    /// Bytes per session.
    pub bytes: f64,
}

/// Sessions within a limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// As the slope predicts.
    pub predicted: u64,
    /// That were there when Redis refused the next one (OOM) or evicted a key.
    pub reached: u64,
    /// Whether Redis refused or evicted at all.
    pub full: bool,
}

impl Fill {
    /// (reached − predicted) / predicted.
    pub fn error(&self) -> f64 {
        (self.reached as f64 - self.predicted as f64) / (self.predicted as f64).max(1.0)
    }
}

/// What a save copied (copy on write).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Save {
    /// The data then.
    pub used: f64,
    /// Bytes that a save without a load copied.
    pub idle: f64,
    /// Bytes that a save under the load copied, at its peak; absent if the load has no rate.
    pub loaded: Option<f64>,
    /// Operations per second of the load.
    pub rate: f64,
}

impl Stored {
    /// The formula's answer, without the tables; `None` if the structures of this Redis are not known.
    pub fn formula(&self) -> Option<f64> {
        (!self.parts.is_empty()).then(|| self.parts.iter().map(|part| part.bytes).sum())
    }

    /// All bytes per session, tables included.
    pub fn whole(&self) -> f64 {
        self.bytes[0] + self.tables
    }
}
