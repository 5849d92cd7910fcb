//! The scenarios that come with the binary.

use super::parse::Source;

/// A shipped scenario.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// Its TOML.
    pub text: &'static str,
}

impl Shipped {
    /// As a source for [`parse`](super::parse()).
    pub fn source(&self) -> Source {
        Source { name: format!("{}.toml", self.name), text: self.text.to_owned() }
    }
}

macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        &[$(Shipped { name: $name, text: include_str!(concat!("../../../scenarios/", $name, ".toml")) }),*]
    };
}

/// Every shipped scenario, in the order in which `firedrill list` shows them.
pub fn shipped() -> &'static [Shipped] {
    embed![
        "redis-outage",
        "restart-persistence",
        "ttl-expiry",
        "ttl-jump",
        "memory-cleanup",
        "concurrent-writes",
        "redis-latency",
        "redis-blackhole",
        "redis-resets",
        "torn-answers",
        "slow-line",
        "flapping-network",
        "data-lost",
        "redis-stopped",
        "power-loss",
        "disk-full",
        "slow-start",
        "failover-readonly",
        "replicas-missing",
        "out-of-memory",
        "password-changed",
        "no-more-connections",
        "redis-paused",
        "slow-commands",
        "idle-connections",
        "scripts-forgotten",
        "eviction",
        "keys-deleted",
        "keys-corrupted",
        "clock-skew",
        "two-outages",
        "breaker-recovery",
        "rollback",
        "migration-direct",
        "migration-dual-write",
        "sentinel-failover",
        "sentinel-partition",
        "cluster-failover",
        "cluster-migration",
        "cluster-partition",
        "tls-acl",
        "tls-impostor",
        "hundred-users",
        "app-outage",
        "latency-claims",
    ]
}
