//! `process.kill` and `app.kill`: the process dies without warning (SIGKILL), stays dead for the fault's duration, and
//! then restarts on the same port: a server on its data or on an empty disk, the application with empty memory. The
//! fault is over when the process serves again; a server must have loaded its data.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, FAILOVER, Hits, Kind, Unfit};
use super::super::{Fault, FaultError, Impact};
use super::death::Death;
use super::target::ProcessTarget;
use crate::lab::{Persistence, Topology};
use crate::property::Property;

/// Parameters of `process.kill`. The fault's time is the time the server stays dead.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Kill {
    /// Whether its data on disk is kept.
    #[serde(default)]
    pub data: DiskData,
}

impl Kind for Kill {
    const NAME: &'static str = "process.kill";
    const HITS: Hits = Hits::Process;
    const DOCS: Docs = Docs {
        about: "Redis dies without warning, stays dead for the fault's time, and restarts on the same port, with its \
                data or with an empty disk",
        seen_in: "the OOM killer, a crashed host, a container that is moved; with `data = \"lose\"` a container without a volume",
        injected_by: "SIGKILL to the server that the drill owns; with `data = \"lose\"` its snapshot and append-only file are deleted",
        evidence: "the process has been reaped, and a probe on a path that the load has used gets no reply",
        undone_by: "the server is started again and has loaded its data",
    };

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        match self.data {
            DiskData::Keep => None,
            DiskData::Lose if topology.fails_over() => Some(Unfit {
                why: "a primary that lost its data and came back at once would make its replica lose them too",
                cure: "leave out `data`",
            }),
            DiskData::Lose => Self::HITS.unfit_on(topology),
        }
    }

    fn breaks(&self, topology: Topology, _: Persistence) -> Property {
        match self.data {
            _ if topology.fails_over() => FAILOVER,
            DiskData::Keep => Property::empty(),
            DiskData::Lose => Property::WRITES | Property::EXPIRY | Property::INDEX,
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(KillFault::new(site.index, *self, site.context.clone())?))
    }
}

impl Kill {
    /// The server finds its data again.
    pub const KEEP: Kill = Kill { data: DiskData::Keep };
    /// The server finds nothing.
    pub const LOSE: Kill = Kill { data: DiskData::Lose };
}

/// What becomes of the data on the server's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiskData {
    /// It is there at the next start.
    #[default]
    Keep,
    /// It is gone, as with a container that had no volume or a machine that was replaced.
    Lose,
}

pub(in crate::fault) struct KillFault {
    kind: &'static str,
    /// For an application this is always `Keep`: it has no disk to lose.
    data: DiskData,
    context: FaultContext,
    death: Death,
}

impl KillFault {
    /// Kills the server.
    ///
    /// # Errors
    /// [`Mismatch::NotOurs`](crate::lab::Mismatch::NotOurs) if the data should be lost but does not belong to the
    /// drill.
    pub fn new(index: u32, spec: Kill, context: FaultContext) -> Result<Self, FaultError> {
        if spec.data == DiskData::Lose {
            context.path.server().own_for(Kill::NAME)?;
        }
        let death = Death::new(Kill::NAME, ProcessTarget::Redis, index, context.clone());
        Ok(Self { kind: Kill::NAME, data: spec.data, context, death })
    }

    /// Kills the application, on behalf of a fault of that `kind`.
    pub fn of_app(kind: &'static str, index: u32, context: FaultContext) -> Self {
        let death = Death::new(kind, ProcessTarget::App, index, context.clone());
        Self { kind, data: DiskData::Keep, context, death }
    }
}

#[async_trait::async_trait]
impl Fault for KillFault {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn detail(&self) -> String {
        match self.data {
            DiskData::Keep => String::new(),
            DiskData::Lose => "its data lost".to_owned(),
        }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.death.kill().await?;
        if self.data == DiskData::Lose {
            self.context.path.server().own_for(self.kind)?.discard_data().await?;
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.death.end().await
    }

    async fn impact(&self, within: Duration) -> Impact {
        let also = match self.data {
            DiskData::Keep => "",
            DiskData::Lose => ", its files deleted",
        };
        self.death.impact(also, within).await
    }
}
