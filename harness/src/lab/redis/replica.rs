//! A server and its replica: if the server is lost, nothing promotes the replica.

use std::sync::Arc;

use super::managed::{ManagedConfig, ManagedRedis};
use super::topology_kind::{Reached, TopologyKind, together};
use crate::lab::access::Access;
use crate::lab::error::LabError;
use crate::lab::server::{Server, Servers};

/// The description of this topology.
pub const KIND: TopologyKind = TopologyKind {
    name: "replica",
    about: "One server and its replica; nothing promotes the replica.",
    servers: "a server and its replica; nothing promotes the replica",
    processes: 2,
    proxied: 1,
    reached: Reached::Plainly,
    fails_over: false,
    start: |config| Box::pin(start(config, 1)),
    find: None,
};

/// A server and then its replicas. Faults hit the server.
struct Replicated(Vec<Arc<dyn Server>>);

/// Starts a server and this many replicas, and returns once they are in sync with it.
pub(super) async fn start(config: &ManagedConfig, replicas: usize) -> Result<Box<dyn Servers>, LabError> {
    let config = ManagedConfig { directives: format!("{}{AT_ONCE}", config.directives), ..config.clone() };
    let mut all = vec![ManagedRedis::start(&config).await?];
    for _ in 0..replicas {
        let replica = ManagedRedis::start(&config).await?;
        follow(&replica, &all[0]).await?;
        all.push(replica);
    }
    Ok(Box::new(Replicated(all.into_iter().map(|server| Arc::new(server) as Arc<dyn Server>).collect())))
}

impl Servers for Replicated {
    fn access(&self) -> Access {
        Access::one(self.0[0].url().clone())
    }

    fn all(&self) -> &[Arc<dyn Server>] {
        &self.0
    }
}

/// Avoids Redis's default of waiting 5 s for more replicas before it copies its data.
pub(super) const AT_ONCE: &str = "repl-diskless-sync-delay 0\n";

/// Makes `replica` follow `primary`, and returns once it does.
pub(super) async fn follow(replica: &ManagedRedis, primary: &ManagedRedis) -> Result<(), LabError> {
    let primary = primary.announced();
    replica.admin().query::<()>(redis::cmd("REPLICAOF").arg(primary.ip().to_string()).arg(primary.port())).await?;
    let what = "the replica did not catch up with its primary";
    together(what, replica.start_deadline(), || is_linked(replica)).await
}

/// `None` if a replica is up to date; otherwise what it reports.
pub(super) async fn is_linked(replica: &ManagedRedis) -> Option<String> {
    match replica.admin().query::<String>(redis::cmd("INFO").arg("replication")).await {
        Ok(info) if info.contains("master_link_status:up") => None,
        Ok(info) => {
            Some(info.lines().find(|line| line.starts_with("master_link_status")).unwrap_or("no link").to_owned())
        }
        Err(error) => Some(error.to_string()),
    }
}
