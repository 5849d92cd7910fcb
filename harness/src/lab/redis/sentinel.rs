//! A primary, its replica and three sentinels, two of which must agree that the primary is lost.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::Deployment;

use super::managed::{ManagedConfig, ManagedRedis, ServerRole};
use super::replica::{AT_ONCE, follow};
use super::topology_kind::{Reached, TopologyKind, together};
use crate::lab::access::Access;
use crate::lab::error::{LabError, ServerError};
use crate::lab::server::{Server, Servers, position_at};

/// The description of this topology.
pub const KIND: TopologyKind = TopologyKind {
    name: "sentinel",
    about: "A primary, its replica, and three sentinels that let it take over.",
    servers: "a primary, its replica, three sentinels (`down-after-milliseconds 500`, quorum 2)",
    processes: 5,
    proxied: 2,
    reached: Reached::ByAnnouncement,
    fails_over: true,
    start: |config| Box::pin(start(config)),
};

const SENTINELS: usize = 3;

const INCOMPLETE: &str = "the sentinels did not find each other and the replica";

/// How long the sentinels may take to find each other again after some of them were dead.
const TOGETHER: Duration = Duration::from_secs(20);

/// The name under which the sentinels watch the primary.
const NAME: &str = "drill";

/// How long a primary must be silent before a sentinel considers it lost. Production usually has more; a drill should
/// be short.
const DOWN_AFTER: Duration = Duration::from_millis(500);

/// A primary and its replica, in this order, and the sentinels that decide which of them leads.
struct Watched {
    nodes: [Arc<dyn Server>; 2],
    sentinels: Vec<Arc<dyn Server>>,
    access: Access,
}

/// The sentinels of one lab, as faults use them.
#[derive(Clone, Copy)]
pub struct Sentinels<'l> {
    all: &'l [Arc<dyn Server>],
    deadline: Duration,
}

impl<'l> Sentinels<'l> {
    /// Those of `servers`; `None` if there are none.
    pub fn of(servers: &'l dyn Servers) -> Option<Self> {
        let all = servers.sentinels();
        (!all.is_empty()).then_some(Self { all, deadline: TOGETHER })
    }

    /// All of them, dead or alive.
    pub fn all(&self) -> &'l [Arc<dyn Server>] {
        self.all
    }

    /// Asks the first one that answers for a failover, as an operator does before maintenance: the replica is promoted
    /// although the primary is well.
    ///
    /// # Errors
    /// Same as [`Admin::query`](crate::lab::Admin::query), of the last one asked.
    pub async fn fail_over(&self) -> Result<(), LabError> {
        let command = redis::cmd("SENTINEL").arg("FAILOVER").arg(NAME).clone();
        let mut result = Ok(());
        for sentinel in self.all {
            result = sentinel.admin().query::<()>(&command).await;
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// Returns once all of them know each other and the replica, so that a failover can happen.
    ///
    /// # Errors
    /// [`ServerError::NotTogether`].
    pub async fn together(&self) -> Result<(), LabError> {
        together(INCOMPLETE, self.deadline, || first_lack(self.all)).await
    }
}

/// Starts all five, and returns once the sentinels know each other and the replica: until then, no failover can happen.
async fn start(config: &ManagedConfig) -> Result<Box<dyn Servers>, LabError> {
    let data = ManagedConfig { directives: format!("{}{AT_ONCE}", config.directives), ..config.clone() };
    let (primary, replica) = (ManagedRedis::start(&data).await?, ManagedRedis::start(&data).await?);
    follow(&replica, &primary).await?;
    let directives = format!(
        "sentinel monitor {NAME} 127.0.0.1 {} 2\nsentinel down-after-milliseconds {NAME} {}\n\
         sentinel failover-timeout {NAME} 5000\n",
        primary.announced().port(),
        DOWN_AFTER.as_millis()
    );
    let watcher = ManagedConfig { role: ServerRole::Sentinel, directives, ..config.clone() };
    let mut sentinels = Vec::new();
    for _ in 0..SENTINELS {
        sentinels.push(ManagedRedis::start(&watcher).await?);
    }
    let addresses = sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect();
    let sentinels: Vec<_> = sentinels.into_iter().map(|sentinel| Arc::new(sentinel) as Arc<dyn Server>).collect();
    together(INCOMPLETE, config.start_deadline, || first_lack(&sentinels)).await?;
    let access = Access {
        // Only the scheme and the login of this URL are used.
        url: primary.url().clone(),
        deployment: Deployment::Sentinel { master: NAME.to_owned(), sentinels: addresses, credentials: None },
    };
    Ok(Box::new(Watched { nodes: [Arc::new(primary), Arc::new(replica)], sentinels, access }))
}

#[async_trait::async_trait]
impl Servers for Watched {
    fn access(&self) -> Access {
        self.access.clone()
    }

    fn all(&self) -> &[Arc<dyn Server>] {
        &self.nodes
    }

    fn sentinels(&self) -> &[Arc<dyn Server>] {
        &self.sentinels
    }

    async fn leading(&self) -> Result<Vec<usize>, LabError> {
        match leader(&self.sentinels).await {
            Ok(port) => Ok(position_at(&self.nodes, port).into_iter().collect()),
            // While no sentinel answers, nobody changes who leads.
            Err(silent) => match primaries(&self.nodes).await {
                none if none.is_empty() => Err(silent),
                some => Ok(some),
            },
        }
    }
}

/// The positions of the servers that call themselves primaries.
async fn primaries(nodes: &[Arc<dyn Server>]) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        if node.admin().info().await.is_ok_and(|info| info.role == "master") {
            found.push(at);
        }
    }
    found
}

/// What the first incomplete sentinel has not found yet.
async fn first_lack(sentinels: &[Arc<dyn Server>]) -> Option<String> {
    for sentinel in sentinels {
        if let Some(seen) = lacks(sentinel).await {
            return Some(seen);
        }
    }
    None
}

/// What a sentinel has not found yet.
async fn lacks(sentinel: &Arc<dyn Server>) -> Option<String> {
    let ask = |about: &str| redis::cmd("SENTINEL").arg(about).arg(NAME).clone();
    match sentinel.admin().query::<String>(&ask("CKQUORUM")).await {
        Ok(said) if said.starts_with(&format!("OK {SENTINELS} ")) => {}
        Ok(said) => return Some(said),
        Err(error) => return Some(error.to_string()),
    }
    match sentinel.admin().query::<Vec<redis::Value>>(&ask("REPLICAS")).await {
        Ok(replicas) if replicas.len() == 1 => None,
        Ok(replicas) => Some(format!("{} replicas", replicas.len())),
        Err(error) => Some(error.to_string()),
    }
}

/// The port of the server that most sentinels name as the primary.
async fn leader(sentinels: &[Arc<dyn Server>]) -> Result<u16, LabError> {
    let command = redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(NAME).clone();
    let mut named = Vec::new();
    let mut seen = String::new();
    for sentinel in sentinels {
        match sentinel.admin().query::<(String, u16)>(&command).await {
            Ok((_, port)) => named.push(port),
            Err(error) => seen = error.to_string(),
        }
    }
    let votes = |port: &u16| named.iter().filter(|other| *other == port).count();
    match named.iter().copied().max_by_key(votes) {
        Some(port) => Ok(port),
        None => Err(LabError::Server(ServerError::NotTogether {
            what: "no sentinel names a primary",
            deadline: DOWN_AFTER,
            seen,
        })),
    }
}
