//! The scenarios that come with the binary.

use super::source::Source;
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
    /// Whether it drills any application that somebody describes; without a description it drills session-server.
    pub for_any_application: bool,
}

impl Shipped {
    /// The scenario as a source for [`parse`](super::parse()).
    pub fn source(&self) -> Source {
        Source { name: format!("{}.toml", self.name), text: self.text.to_owned() }
    }
}

impl Source {
    /// The shipped scenario that this is. A file may have the same name but different content.
    pub fn shipped(&self) -> Option<&'static Shipped> {
        shipped().iter().find(|shipped| shipped.text == self.text && shipped.source().name == self.name)
    }

    /// Whether it is a shipped scenario without an application of its own.
    pub fn is_for_any_application(&self) -> bool {
        self.shipped().is_some_and(|shipped| shipped.for_any_application)
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

const fn some(words: &[&str]) -> bool {
    !words.is_empty()
}

macro_rules! embed {
    ($($name:literal $(formerly $old:literal)* $(for $any:ident application)?),* $(,)?) => {
        &[$(Shipped {
            name: $name,
            formerly: &[$($old),*],
            text: include_str!(concat!("../../scenarios/", $name, ".toml")),
            for_any_application: some(&[$(stringify!($any))?]),
        }),*]
    };
}

/// All shipped scenarios, in the order of `firedrill list`.
pub fn shipped() -> &'static [Shipped] {
    const ALL: &[Shipped] = embed![
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
        "password-rotated",
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
        "hundred-users" for any application,
        "capacity-sessions",
        "capacity-plain",
        "capacity-app" for any application,
        "app-outage" for any application,
        "app-killed-after-outage" formerly "session-server-outage" for any application,
        "app-restart" for any application,
        "app-concurrent-writes" for any application,
        "app-logout" for any application,
        "app-expiry" for any application,
        "app-rolling-deploy" for any application,
        "app-two-instances" for any application,
        "latency-claims",
    ];
    ALL
}
