//! `process.stop` and `app.stop`: the process freezes (SIGSTOP) with all its connections open, then continues (SIGCONT)
//! as if nothing had happened: commands sent in between are executed late.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::aim::Aim;
use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, FAILOVER, Hits, Kind, Unfit};
use super::super::path::Path;
use super::super::{Fault, FaultError, Impact};
use super::target::ProcessTarget;
use crate::lab::{LabError, Persistence, ProcessState, ServerError, ServerProcess, Topology};
use crate::property::Property;

/// `process.stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Stop {}

impl Kind for Stop {
    const NAME: &'static str = "process.stop";
    const HITS: Hits = Hits::Process;
    const DOCS: Docs = Docs {
        about: "Redis freezes with all connections open, then resumes and carries out what it was sent",
        seen_in: "a virtual machine that is paused or migrated, a host that swaps, a fork of a large process",
        injected_by: "SIGSTOP",
        evidence: "the kernel says \"stopped\", and a probe on a path that the load has used gets no reply",
        undone_by: "SIGCONT",
    };

    fn unfit_on(&self, _: Topology) -> Option<Unfit> {
        None
    }

    fn breaks(&self, topology: Topology, _: Persistence) -> Property {
        if topology.fails_over() { FAILOVER } else { Property::empty() }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(StopFault::new(Self::NAME, site.index, ProcessTarget::Redis, site.context.clone())))
    }
}

pub(in crate::fault) struct StopFault {
    kind: &'static str,
    index: u32,
    target: ProcessTarget,
    context: FaultContext,
    aim: Aim,
}

impl StopFault {
    pub fn new(kind: &'static str, index: u32, target: ProcessTarget, context: FaultContext) -> Self {
        Self { kind, index, target, aim: Aim::new(index, context.clone()), context }
    }

    fn process<'a>(&'a self, path: &'a Path) -> Result<&'a dyn ServerProcess, FaultError> {
        self.target.process(&self.context, path, self.kind())
    }
}

#[async_trait::async_trait]
impl Fault for StopFault {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let path = self.aim.take().await?;
        let process = self.process(&path)?;
        self.target.stopped(&self.context).take(self.index);
        match process.pause().await {
            Err(LabError::Server(ServerError::NotRunning { .. })) if self.target.dead(&self.context).is_taken() => {
                Err(FaultError::Overlaps { fault: self.kind(), by: self.target.killers() })
            }
            result => Ok(result?),
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if self.target.stopped(&self.context).release(self.index) {
            self.process(&self.aim.path())?.resume().await?;
        }
        self.aim.release();
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        let path = self.aim.path();
        let (stopped, pid) = match self.process(&path) {
            Ok(process) => (process.state() == ProcessState::Stopped, process.pid()),
            Err(_) => (false, None),
        };
        let name = self.target.name(&self.context);
        let state = match (stopped, pid) {
            (true, Some(pid)) => {
                format!("{name} (pid {pid}) is stopped{}", self.target.use_by_load(&self.context, &path))
            }
            _ => format!("{name} does not stand still"),
        };
        self.target.impact(&self.context, &path, stopped, state, within.min(Duration::from_millis(200))).await
    }
}
