//! `server.eviction`: memory is short and Redis throws out what was not used for long (allkeys-lru), as on a server that
//! is shared with a cache. A share of the data goes at the onset, and more with every write while it lasts.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::path::count;
use super::super::{Bite, Fault, FaultError};
use super::{Hand, Setting, field};
use crate::scenario::units::Share;

const KIND: &str = "server.eviction";

/// Parameters of `server.eviction`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Eviction {
    /// How much of the data (`used_memory_dataset`) has no room.
    pub share: Share,
}

pub(in crate::fault) struct EvictionFault {
    spec: Eviction,
    hand: Hand,
    before: Mutex<u64>,
}

impl EvictionFault {
    /// # Errors
    /// [`LabError::NotOurs`](crate::lab::LabError::NotOurs) on a server that others may use: their keys would go too.
    pub fn new(index: u32, spec: Eviction, context: FaultContext) -> Result<Self, FaultError> {
        context.lab.own_server(KIND)?;
        Ok(Self { spec, hand: Hand::new(index, context)?, before: Mutex::default() })
    }

    async fn evicted(&self) -> Result<u64, FaultError> {
        let text = self.hand.remote.info("stats").await?;
        Ok(field(&text, "evicted_keys:").unwrap_or(0))
    }
}

#[async_trait::async_trait]
impl Fault for EvictionFault {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn detail(&self) -> String {
        format!("{} of the data", self.spec.share)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        *self.before.lock() = self.evicted().await?;
        let text = self.hand.remote.info("memory").await?;
        let used = field(&text, "used_memory:").unwrap_or(0);
        let data = field(&text, "used_memory_dataset:").unwrap_or(0);
        let room = used.saturating_sub((data as f64 * self.spec.share.0) as u64);
        self.hand.change(Setting::Config("maxmemory-policy"), "allkeys-lru").await?;
        self.hand.change(Setting::Config("maxmemory"), room.max(1)).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.hand.give_back().await
    }

    async fn proof(&self, _within: Duration) -> Bite {
        let before = *self.before.lock();
        match self.evicted().await {
            Ok(now) => {
                let evicted = now.saturating_sub(before);
                let evidence = format!("{} thrown out by the server's own count", count(evicted, "key"));
                self.hand.context.path.bite(evicted > 0, evidence)
            }
            Err(error) => Bite { bit: false, evidence: format!("the server could not be asked: {error}") },
        }
    }
}
