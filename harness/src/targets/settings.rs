//! The settings of the store under test, and changes to them while the load runs. The application gets the same
//! settings through its environment.

use std::num::NonZeroU32;

use firedrill_storage::{BreakerConfig, Policy};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defect::Defect;
use crate::load::Routing;
use crate::secret;
use crate::units::Span;

/// A circuit breaker in front of Redis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BreakerSpec {
    /// It opens after more than this many failures in a row.
    pub failures: u32,
    /// How long no call reaches Redis once it is open.
    pub open_for: Span,
    /// Calls let through at once when it is half-open.
    pub probes: u32,
}

impl Default for BreakerSpec {
    fn default() -> Self {
        let BreakerConfig { failures, open_for, probes } = BreakerConfig::default();
        Self { failures, open_for: Span(open_for), probes }
    }
}

impl BreakerSpec {
    /// In the store's own form.
    pub fn config(&self) -> BreakerConfig {
        BreakerConfig { failures: self.failures, open_for: self.open_for.0, probes: self.probes }
    }
}

/// A change of settings while the load runs: what a deploy or a feature flag does. It changes either the store's `policy` or
/// the application's `env`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeploySpec {
    /// When, after the start of the measured load.
    pub at: Span,
    /// The store's policy from then on. From `memory`, sessions reach Redis only through `dual-write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "policy_schema")]
    pub policy: Option<Policy>,
    /// Variables that the application of `[app]` gets from then on, beside those that it has: its instances restart one after
    /// the other, as by `app.restart`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty", serialize_with = "secret::variables")]
    #[schemars(extend("writeOnly" = true))]
    pub env: IndexMap<String, String>,
}

/// How the store under test is set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSpec {
    /// What the store does while Redis is away.
    #[schemars(schema_with = "policy_schema")]
    pub policy: Policy,
    /// How many stores share the load, like the processes of one service (1 to 8): each has its own connections, circuit
    /// breaker, fallback and memory; Redis and the sessions are the same for all.
    pub instances: NonZeroU32,
    /// Which of several stores carries an operation.
    pub routing: Routing,
    /// How long a session lives after its last use.
    pub ttl: Span,
    /// Whether a read extends a session's lifetime.
    pub sliding: bool,
    /// How an item is appended to a session.
    pub update: UpdateMode,
    /// The store's own deadline for a call to Redis.
    pub timeout: Span,
    /// How many recently used sessions are kept in memory for reading while Redis is away.
    pub warm_sessions: u32,
    /// A circuit breaker in front of Redis. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerSpec>,
    /// Which store the final reads go through.
    pub final_reads: FinalReads,
    /// Whether sessions are encrypted in Redis, with a key derived from the seed: `true`, or
    /// `{ rotate-at = "5s" }`, which gives the store a new key that long after the start of the load.
    pub encryption: EncryptionSpec,
    /// A planted defect, to see that the drill catches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defect: Option<Defect>,
}

impl Default for StoreSpec {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            instances: NonZeroU32::MIN,
            routing: Routing::default(),
            ttl: Span::secs(3600),
            sliding: true,
            update: UpdateMode::Atomic,
            timeout: Span::millis(500),
            warm_sessions: 10_000,
            breaker: None,
            final_reads: FinalReads::Rebuilt,
            encryption: EncryptionSpec::default(),
            defect: None,
        }
    }
}

/// Whether sessions are encrypted in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EncryptionSpec {
    /// Always, with one key, or never.
    Always(bool),
    /// With one key, and later with another.
    #[serde(rename_all = "kebab-case")]
    Rotating {
        /// When the key is changed, from the start of the load. What was written before is still read.
        rotate_at: Span,
    },
}

impl Default for EncryptionSpec {
    fn default() -> Self {
        Self::Always(false)
    }
}

/// The policies by name: the storage crate does not know JSON Schema.
fn policy_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names: Vec<String> = Policy::ALL.iter().map(ToString::to_string).collect();
    schemars::json_schema!({ "type": "string", "enum": names })
}

/// How an item is appended to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateMode {
    /// The store's append: atomic on the server.
    Atomic,
    /// Read, change, write if the version is still the one that was read; again if it is not.
    CompareAndSet,
    /// Read, change, write whatever is there by then: loses updates. The variant that many applications ship.
    ReadModifyWrite,
}

/// Which store the final reads go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FinalReads {
    /// The store's memory is dropped and the store rebuilt: only what reached Redis is seen.
    Rebuilt,
    /// The store that was driven.
    Living,
}
