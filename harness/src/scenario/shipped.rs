//! The scenarios that come with the binary.

use super::parse::Source;
use crate::nearest::did_you_mean;
use crate::renamed::hint;

/// A shipped scenario.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// Its names in earlier releases.
    pub formerly: &'static [&'static str],
    /// Its TOML.
    pub text: &'static str,
}

impl Shipped {
    /// The scenario as a source for [`parse`](super::parse()).
    pub fn source(&self) -> Source {
        Source { name: format!("{}.toml", self.name), text: self.text.to_owned() }
    }
}

/// No shipped scenario has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario `{name}` (a file ends in .toml): {hint}")]
pub struct NoSuchScenario {
    /// The requested name.
    pub name: String,
    /// What exists instead.
    pub hint: String,
}

/// The shipped scenario called `name`.
///
/// # Errors
/// [`NoSuchScenario`], which lists the names, or gives the near one or the scenario's current name.
pub fn shipped_named(name: &str) -> Result<&'static Shipped, NoSuchScenario> {
    shipped().iter().find(|shipped| shipped.name == name).ok_or_else(|| {
        let names = || shipped().iter().map(|shipped| shipped.name).collect::<Vec<_>>().join(", ");
        let renamed = hint(name, shipped().iter().map(|shipped| (shipped.name, shipped.formerly)));
        let meant = || did_you_mean(name, shipped().iter().map(|shipped| shipped.name));
        let hint = renamed.or_else(meant).unwrap_or_else(|| format!("the shipped ones are {}", names()));
        NoSuchScenario { name: name.to_owned(), hint }
    })
}

macro_rules! embed {
    ($($name:literal $(formerly $old:literal)*),* $(,)?) => {
        &[$(Shipped {
            name: $name,
            formerly: &[$($old),*],
            text: include_str!(concat!("../../../scenarios/", $name, ".toml")),
        }),*]
    };
}

/// All shipped scenarios, in the order of `firedrill list`.
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
        "lost-replies",
        "torn-replies" formerly "torn-answers",
        "slow-line",
        "connect-hangs",
        "half-open",
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
        "connections-killed",
        "redis-paused",
        "slow-commands",
        "idle-connections",
        "address-moved",
        "scripts-forgotten",
        "eviction",
        "keys-deleted",
        "keys-corrupted",
        "clock-skew",
        "two-outages",
        "session-renewal",
        "two-instances",
        "drain-interrupted",
        "drain-slow",
        "outage-short-ttl",
        "outage-small-warm",
        "memory-fills",
        "writes-to-the-dead",
        "listings-over-limit",
        "contended-awards",
        "encrypted-outage",
        "values-swapped",
        "breaker-recovery",
        "rollback",
        "migration-direct",
        "migration-dual-write",
        "replica-promoted",
        "sentinel-failover",
        "planned-failover",
        "sentinels-lost",
        "sentinel-partition",
        "cluster-failover",
        "cluster-maintenance",
        "cluster-migration",
        "cluster-partition",
        "tls-acl",
        "certificate-expired",
        "tls-impostor",
        "hundred-users",
        "app-outage",
        "latency-claims",
    ]
}
