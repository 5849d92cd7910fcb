//! `server.oom`: the memory is full and nothing may be evicted. Commands that need memory are refused with OOM; reads,
//! deletions and EXPIRE work.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind, Shortage};
use super::super::refusing::Refusing;
use super::super::settings::Setting;
use super::super::witness::Refusal;
use super::super::{Fault, FaultError, Impact};

/// In bytes; every server uses more.
const LIMIT: u64 = 1;

/// `server.oom`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Oom {}

impl Kind for Oom {
    const NAME: &'static str = "server.oom";
    const HITS: Hits = Hits::Server;
    const ASKS_FOR: &'static [Shortage] = &[Shortage::Memory];
    const DOCS: Docs = Docs {
        about: "memory is full: writes are refused with OOM; reads, DEL and EXPIRE work",
        seen_in: "a `maxmemory` that is too small, sessions without a lifetime, a neighbour's keys",
        injected_by: "CONFIG SET `maxmemory-policy noeviction`, then `maxmemory 1`",
        evidence: "a probe's write gets OOM, **and** so did writes of others",
        undone_by: "both settings are restored",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(OomFault::new(site.index, site.context.clone())?))
    }
}

pub(in crate::fault) struct OomFault(Refusing);

impl OomFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        Refusing::new(index, context, Refusal::Commands(&["OOM"])).map(Self)
    }
}

#[async_trait::async_trait]
impl Fault for OomFault {
    fn kind(&self) -> &'static str {
        Oom::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.0.begin().await?;
        // The policy comes first: under another one, such a low limit would empty the server.
        self.0.handle.change(Setting::Config("maxmemory-policy"), "noeviction").await?;
        self.0.handle.change(Setting::Config("maxmemory"), LIMIT).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.0.handle.restore().await
    }

    async fn impact(&self, within: Duration) -> Impact {
        self.0.write_refused(within).await
    }
}
