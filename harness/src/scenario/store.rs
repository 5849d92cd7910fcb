//! What a scenario can say about the store beside its plain settings: the circuit breaker, and settings that change while
//! the load runs.

use firedrill_storage::{BreakerConfig, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Span;

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
    /// As the store takes it.
    pub fn config(&self) -> BreakerConfig {
        BreakerConfig { failures: self.failures, open_for: self.open_for.0, probes: self.probes }
    }
}

/// A change of the store's settings while the load runs: what a deploy or a feature flag does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeploySpec {
    /// When, after the start of the measured load.
    pub at: Span,
    /// The policy from then on. From `memory` the sessions go over to Redis only by way of `dual-write`.
    #[schemars(schema_with = "super::model::policy_schema")]
    pub policy: Policy,
}
