//! `cluster.restart`: a rolling restart of a cluster, as for an upgrade. Node after node restarts: the replicas first, and
//! a primary only after its replica has taken its slots over.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::super::clients::clients_of;
use super::super::context::{FaultContext, Site};
use super::super::handover::{ask_the_replica, demoted};
use super::super::kind::{Docs, Hits, Kind, Unfit};
use super::super::path::count;
use super::super::repeat::Repeat;
use super::super::{Fault, FaultError, Impact};
use crate::lab::{Lab, LabError, Topology};

/// How long a node may take to hand over, or to have its primary's data again.
const PATIENCE: Duration = Duration::from_secs(15);

const POLL: Duration = Duration::from_millis(20);

/// `cluster.restart`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClusterRestart {}

impl Kind for ClusterRestart {
    const NAME: &'static str = "cluster.restart";
    const HITS: Hits = Hits::Cluster;
    const OWN_SERVERS: bool = true;
    const DOCS: Docs = Docs {
        about: "a rolling restart: node after node restarts, the replicas first, a primary after its replica has taken over. \
                Only under `lab.topology = \"cluster\"`",
        seen_in: "the upgrade of a cluster, new settings, new machines",
        injected_by: "CLUSTER FAILOVER where a primary is next, then SIGKILL and a start; the next one once the node has its \
                      primary's data again",
        evidence: "all nodes have restarted, **and** the primaries among them had clients",
        undone_by: "the current node is up again; who leads stays as it is",
    };

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        super::unfit_on(topology)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        let rolling = Rolling { lab: site.context.lab.clone(), state: Mutex::default() };
        Ok(Arc::new(ClusterRestartFault {
            context: site.context.clone(),
            rolling: Arc::new(rolling),
            steps: Repeat::default(),
        }))
    }
}

struct ClusterRestartFault {
    context: FaultContext,
    rolling: Arc<Rolling>,
    steps: Repeat,
}

struct Rolling {
    lab: Arc<Lab>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// The positions of the nodes that have restarted.
    restarted: Vec<usize>,
    /// The clients of the primaries that handed over.
    clients: u64,
    /// Why the latest attempt failed.
    failed: Option<String>,
}

impl Rolling {
    /// Restarts the next node, if any is left. One that fails is tried again.
    async fn step(&self) {
        let result = self.next().await;
        self.state.lock().failed = result.err().map(|error| error.to_string());
    }

    async fn next(&self) -> Result<(), LabError> {
        let leading = self.lab.leading().await?;
        let at = {
            let state = self.state.lock();
            let mut left = (0..self.lab.servers().len()).filter(|at| !state.restarted.contains(at));
            let first = left.clone().find(|at| !leading.contains(at));
            first.or_else(|| left.next())
        };
        let Some(at) = at else { return Ok(()) };
        let server = &self.lab.servers()[at];
        if leading.contains(&at) {
            let clients = clients_of(&**server).await?;
            ask_the_replica(&self.lab, server).await?;
            within("handing over", demoted(&**server)).await?;
            self.state.lock().clients += clients;
        }
        server.process_for(ClusterRestart::NAME)?.kill().await?;
        server.process_for(ClusterRestart::NAME)?.ensure_running().await?;
        within("copying the primary's data", self.linked(at)).await?;
        self.state.lock().restarted.push(at);
        Ok(())
    }

    /// Returns once the node has its primary's data.
    async fn linked(&self, at: usize) -> Result<(), LabError> {
        let admin = self.lab.servers()[at].admin();
        let command = redis::cmd("INFO").arg("replication").clone();
        while !admin.query::<String>(&command).await?.contains("master_link_status:up") {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn words(&self) -> String {
        let State { restarted, clients, failed } = &*self.state.lock();
        let all = self.lab.servers().len();
        let failed = failed.as_ref().map(|why| format!("; the last attempt failed: {why}")).unwrap_or_default();
        format!("{} of {all} nodes restarted, {} handed over{failed}", restarted.len(), count(*clients, "client"))
    }
}

async fn within(doing: &'static str, what: impl Future<Output = Result<(), LabError>>) -> Result<(), LabError> {
    let late = || LabError::system(doing, std::io::Error::from(std::io::ErrorKind::TimedOut));
    tokio::time::timeout(PATIENCE, what).await.unwrap_or_else(|_| Err(late()))
}

#[async_trait::async_trait]
impl Fault for ClusterRestartFault {
    fn kind(&self) -> &'static str {
        ClusterRestart::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        *self.rolling.state.lock() = State::default();
        self.steps.start(self.rolling.clone(), POLL, |rolling| async move { rolling.step().await });
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.steps.stop().await;
        for server in self.context.lab.servers() {
            server.process_for(ClusterRestart::NAME)?.ensure_running().await?;
        }
        Ok(())
    }

    async fn impact(&self, _within: Duration) -> Impact {
        let State { restarted, clients, .. } = self.rolling.state.lock().clone();
        let bit = restarted.len() == self.context.lab.servers().len() && clients > 0;
        Impact { bit, evidence: self.rolling.words() }
    }

    fn damage(&self) -> Option<String> {
        Some(self.rolling.words())
    }
}
