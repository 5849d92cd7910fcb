//! `keys.delete`: a share of the drill's sessions is deleted behind the store's back, as by an eviction, a careless
//! FLUSHALL or a script. The drill itself deletes them, and healing restores none: a store that remembers them may have
//! written them again.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::{Fault, FaultError, Impact};
use super::picked::{BATCH, Hit, last_number, picked, some};
use crate::lab::{Persistence, Topology};
use crate::property::Property;
use crate::units::Share;

/// Parameters of `keys.delete`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeysDelete {
    /// The share of the existing sessions.
    #[schemars(example = "20%")]
    pub share: Share,
}

impl Kind for KeysDelete {
    const NAME: &'static str = "keys.delete";
    const HITS: Hits = Hits::Keys;
    const DOCS: Docs = Docs {
        about: "a share of the sessions is deleted behind the store's back when the fault begins",
        seen_in: "FLUSHALL by mistake, somebody's script, an eviction",
        injected_by: "UNLINK of the drill's own sessions, the same ones for the same seed and sessions",
        evidence: "a probe misses some of them on a path that the load has used",
        undone_by: "nothing: deleted is deleted",
    };

    fn check(&self) -> Result<(), Flaw> {
        some(self.share)
    }

    fn breaks(&self, _: Topology, _: Persistence) -> Property {
        Property::WRITES | Property::EXPIRY | Property::INDEX
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(KeysDeleteFault::new(*self, site.context.clone())))
    }
}

pub(in crate::fault) struct KeysDeleteFault {
    spec: KeysDelete,
    context: FaultContext,
    hit: Mutex<Hit>,
}

impl KeysDeleteFault {
    pub fn new(spec: KeysDelete, context: FaultContext) -> Self {
        Self { spec, context, hit: Mutex::default() }
    }
}

#[async_trait::async_trait]
impl Fault for KeysDeleteFault {
    fn kind(&self) -> &'static str {
        KeysDelete::NAME
    }

    fn detail(&self) -> String {
        format!("{} of the sessions", self.spec.share)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let (there, keys) = picked(&self.context, self.spec.share).await?;
        for batch in keys.chunks(BATCH) {
            self.context.path.server().admin().query::<()>(redis::cmd("UNLINK").arg(batch)).await?;
        }
        *self.hit.lock() = Hit { there, keys };
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        let (sample, deleted) = {
            let hit = self.hit.lock();
            (hit.sample(), hit.words("deleted"))
        };
        if sample.is_empty() {
            return Impact { bit: false, evidence: deleted };
        }
        let (_, come) = self.context.ask(redis::cmd("EXISTS").arg(&sample), 1, within).await;
        let missing = last_number(&come).map_or(0, |still| sample.len().saturating_sub(still));
        let evidence = format!("{deleted}; a probe missed {missing} of {}", sample.len());
        self.context.path.impact(missing > 0, evidence)
    }
}
