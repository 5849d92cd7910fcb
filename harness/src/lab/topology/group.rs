//! Servers that work together: when one is lost, another takes over. A fault hits one that takes writes when it begins,
//! and it is that one that comes back.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::super::admin::Admin;
use super::super::error::LabError;
use super::super::managed::ManagedRedis;
use super::super::process::{ProcessState, ServerProcess};
use super::slots::Slots;
use super::{Access, Topology, cluster, sentinel};

/// Servers that work together.
pub struct Group {
    /// Those that have data.
    nodes: Vec<ManagedRedis>,
    watch: Watch,
    access: Access,
    /// Which of the nodes faults hit.
    aimed: AtomicUsize,
}

/// Who decides who leads.
pub(super) enum Watch {
    /// These sentinels.
    Sentinels(Vec<ManagedRedis>),
    /// The nodes among themselves.
    Cluster,
}

impl Group {
    pub(super) fn new(nodes: Vec<ManagedRedis>, watch: Watch, access: Access) -> Self {
        Self { nodes, watch, access, aimed: AtomicUsize::new(0) }
    }

    /// How the store reaches it.
    pub fn access(&self) -> Access {
        self.access.clone()
    }

    /// How they are run.
    pub fn topology(&self) -> Topology {
        match self.watch {
            Watch::Sentinels(_) => Topology::Sentinel,
            Watch::Cluster => Topology::Cluster,
        }
    }

    /// The slots that they share, where they are a cluster.
    pub fn slots(&self) -> Option<Slots<'_>> {
        matches!(self.watch, Watch::Cluster).then(|| Slots::of(self))
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, number: usize) -> &ManagedRedis {
        &self.nodes[number]
    }

    /// The number of the node that the others know by this port.
    pub(super) fn number_at(&self, port: u16) -> Option<usize> {
        self.nodes.iter().position(|node| node.announced().port() == port)
    }

    /// The number of the node that has the same data: the first half of the nodes are those that led at the start, the
    /// second half their replicas.
    pub(super) fn twin(&self, number: usize) -> usize {
        (number + self.nodes.len() / 2) % self.nodes.len()
    }

    /// The server that faults hit.
    pub fn aimed(&self) -> &ManagedRedis {
        &self.nodes[self.aimed.load(Relaxed)]
    }

    /// Where others find that one.
    pub fn announced(&self) -> SocketAddr {
        self.aimed().announced()
    }

    /// Where that one listens.
    pub fn address(&self) -> SocketAddr {
        self.aimed().address()
    }

    /// The lines to all servers that take writes now.
    ///
    /// # Errors
    /// [`LabError::NotTogether`] where nobody says who they are.
    pub async fn leaders(&self) -> Result<Vec<&Admin>, LabError> {
        Ok(self.leading().await?.into_iter().map(|at| self.nodes[at].admin()).collect())
    }

    /// The numbers of the nodes that take writes now.
    pub(super) async fn leading(&self) -> Result<Vec<usize>, LabError> {
        let ports = match &self.watch {
            Watch::Sentinels(sentinels) => sentinel::leader(sentinels).await?,
            Watch::Cluster => cluster::leaders(&self.nodes).await?,
        };
        Ok(ports.iter().filter_map(|port| self.number_at(*port)).collect())
    }
}

#[async_trait::async_trait]
impl ServerProcess for Group {
    async fn aim(&self) -> Result<(), LabError> {
        if let Some(first) = self.leading().await?.first() {
            self.aimed.store(*first, Relaxed);
        }
        Ok(())
    }

    fn pid(&self) -> Option<u32> {
        self.aimed().pid()
    }

    fn state(&self) -> ProcessState {
        self.aimed().state()
    }

    async fn kill(&self) -> Result<(), LabError> {
        self.aimed().kill().await
    }

    async fn ensure_running(&self) -> Result<(), LabError> {
        self.aimed().ensure_running().await
    }

    async fn pause(&self) -> Result<(), LabError> {
        self.aimed().pause().await
    }

    async fn resume(&self) -> Result<(), LabError> {
        self.aimed().resume().await
    }
}
