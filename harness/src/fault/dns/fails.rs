//! `dns.fails`: the name of Redis cannot be resolved. Open connections are cut once, so that the store looks it up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::path::{Snapshot, count};
use super::super::{Fault, FaultError, Impact};
use super::{answer, usual};
use crate::names::Answer;

/// Parameters of `dns.fails`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DnsFails {
    /// What the resolver says.
    #[serde(default)]
    pub says: Says,
}

/// What a resolver says of a name that it does not resolve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Says {
    /// That there is no such name.
    #[default]
    Unknown,
    /// Nothing: a lookup hangs.
    Nothing,
}

impl Kind for DnsFails {
    const NAME: &'static str = "dns.fails";
    const HITS: Hits = Hits::Names;
    const DOCS: Docs = Docs {
        about: "the name of Redis cannot be resolved: open connections are cut once, and new ones find no address, or wait for one \
                (`says = \"nothing\"`). For `[target] kind = \"store\"`",
        seen_in: "a cluster's DNS that is overloaded or restarted, a record that was deleted, a resolver that is unreachable",
        injected_by: "the store's own resolver, which the drill gives it; the fault proxy cuts the connections",
        evidence: "the resolver has left lookups of the store without an address. Connections that the proxy cut are reported",
        undone_by: "names are resolved as the machine resolves them",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(DnsFailsFault {
            spec: *self,
            index: site.index,
            context: site.context.clone(),
            before: Mutex::default(),
            lookups: AtomicU64::new(0),
        }))
    }
}

struct DnsFailsFault {
    spec: DnsFails,
    index: u32,
    context: FaultContext,
    before: Mutex<Snapshot>,
    /// Lookups that faults had answered before this one.
    lookups: AtomicU64,
}

#[async_trait::async_trait]
impl Fault for DnsFailsFault {
    fn kind(&self) -> &'static str {
        DnsFails::NAME
    }

    fn detail(&self) -> String {
        match self.spec.says {
            Says::Unknown => "unknown".to_owned(),
            Says::Nothing => "no reply".to_owned(),
        }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        *self.before.lock() = self.context.path.snapshot();
        self.lookups.store(self.context.names.falsified(), Relaxed);
        let wanted = match self.spec.says {
            Says::Unknown => Answer::Unknown,
            Says::Nothing => Answer::Silence,
        };
        answer(&self.context, self.index, wanted)?;
        self.context.path.cut().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        Ok(usual(&self.context, self.index)?)
    }

    async fn impact(&self, _within: Duration) -> Impact {
        let cut = self.context.path.damage(&self.before.lock()).cut;
        let lookups = self.context.names.falsified().saturating_sub(self.lookups.load(Relaxed));
        let evidence = format!("{} found no address; {} cut", count(lookups, "lookup"), count(cut, "connection"));
        Impact { bit: lookups > 0, evidence }
    }
}
