//! `server.eviction`: memory is short and Redis evicts keys, by default the least recently used ones, as on a server shared
//! with a cache. A share of the data goes at the onset, and more with every write while the fault lasts.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::info::field;
use super::super::kind::{Docs, Flaw, Hits, Kind, Shortage};
use super::super::path::count;
use super::super::refusing::ServerHandle;
use super::super::settings::Setting;
use super::super::{Fault, FaultError, Impact};
use crate::lab::{Persistence, Topology};
use crate::property::Property;
use crate::units::Share;

/// Parameters of `server.eviction`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Eviction {
    /// The share of the data (`used_memory_dataset`) that no longer fits.
    #[serde(default = "half")]
    pub share: Share,
    /// Which keys go first: the `maxmemory-policy` that is set. All sessions have a TTL, so `volatile-` spares none of them.
    #[serde(default)]
    pub policy: EvictionPolicy,
}

/// A policy under which Redis evicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // Redis's own names.
pub enum EvictionPolicy {
    #[default]
    AllkeysLru,
    AllkeysLfu,
    AllkeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

impl EvictionPolicy {
    /// Its name in Redis's configuration.
    fn name(self) -> &'static str {
        match self {
            EvictionPolicy::AllkeysLru => "allkeys-lru",
            EvictionPolicy::AllkeysLfu => "allkeys-lfu",
            EvictionPolicy::AllkeysRandom => "allkeys-random",
            EvictionPolicy::VolatileLru => "volatile-lru",
            EvictionPolicy::VolatileLfu => "volatile-lfu",
            EvictionPolicy::VolatileRandom => "volatile-random",
            EvictionPolicy::VolatileTtl => "volatile-ttl",
        }
    }
}

fn half() -> Share {
    Share(0.5)
}

impl Kind for Eviction {
    const NAME: &'static str = "server.eviction";
    // Other clients' keys would be evicted too, so this needs a server that the drill owns.
    const HITS: Hits = Hits::Process;
    // Once nothing is left to evict, writes are refused.
    const ASKS_FOR: &'static [Shortage] = &[Shortage::Room, Shortage::Memory];
    const DOCS: Docs = Docs {
        about: "the `maxmemory-policy` is changed, memory is short and Redis evicts keys: a share of the data at first, more with every \
                write",
        seen_in: "a Redis shared with a cache, `allkeys-lru` where sessions live",
        injected_by: "CONFIG SET `maxmemory-policy`, then `maxmemory` below what is used",
        evidence: "the server's own count (`evicted_keys`) has grown",
        undone_by: "both settings are restored. Evicted keys stay gone",
    };

    fn check(&self) -> Result<(), Flaw> {
        match self.share.0 > 0.0 && self.share.0 < 1.0 {
            true => Ok(()),
            false => Err(Flaw::new("share", "must be more than \"0%\" and less than \"100%\"")),
        }
    }

    fn breaks(&self, _: Topology, _: Persistence) -> Property {
        Property::WRITES | Property::EXPIRY | Property::INDEX
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(EvictionFault::new(site.index, *self, site.context.clone())?))
    }
}

pub(in crate::fault) struct EvictionFault {
    spec: Eviction,
    handle: ServerHandle,
    before: Mutex<u64>,
}

impl EvictionFault {
    /// # Errors
    /// [`Mismatch::NotOurs`](crate::lab::Mismatch::NotOurs) on a server that others may use: their keys would be
    /// evicted too.
    pub fn new(index: u32, spec: Eviction, context: FaultContext) -> Result<Self, FaultError> {
        context.path.server().own_for(Eviction::NAME)?;
        Ok(Self { spec, handle: ServerHandle::new(index, context)?, before: Mutex::default() })
    }

    async fn evicted(&self) -> Result<u64, FaultError> {
        let text = self.handle.remote.info("stats").await?;
        Ok(field(&text, "evicted_keys:").unwrap_or(0))
    }
}

#[async_trait::async_trait]
impl Fault for EvictionFault {
    fn kind(&self) -> &'static str {
        Eviction::NAME
    }

    fn detail(&self) -> String {
        format!("{} of the data, {}", self.spec.share, self.spec.policy.name())
    }

    async fn inject(&self) -> Result<(), FaultError> {
        *self.before.lock() = self.evicted().await?;
        let text = self.handle.remote.info("memory").await?;
        let used = field(&text, "used_memory:").unwrap_or(0);
        let data = field(&text, "used_memory_dataset:").unwrap_or(0);
        let room = used.saturating_sub((data as f64 * self.spec.share.0) as u64);
        self.handle.change(Setting::Config("maxmemory-policy"), self.spec.policy.name()).await?;
        self.handle.change(Setting::Config("maxmemory"), room.max(1)).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.handle.restore().await
    }

    async fn impact(&self, _within: Duration) -> Impact {
        let before = *self.before.lock();
        match self.evicted().await {
            Ok(now) => {
                let evicted = now.saturating_sub(before);
                let evidence = format!("{} evicted by the server's own count", count(evicted, "key"));
                self.handle.context.path.impact(evicted > 0, evidence)
            }
            Err(error) => Impact { bit: false, evidence: format!("the server could not be asked: {error}") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_written_as_redis_names_it() {
        for policy in [EvictionPolicy::AllkeysLru, EvictionPolicy::VolatileTtl, EvictionPolicy::AllkeysRandom] {
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.name());
        }
    }
}
