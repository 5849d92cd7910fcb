//! A server and its replica: who loses the first has the second, and nobody who lets it take over.

use super::super::error::LabError;
use super::super::managed::{ManagedConfig, ManagedRedis};
use super::together;

/// A server and its replica. Faults hit the server.
pub struct Replicated {
    /// The server.
    pub primary: ManagedRedis,
    _replica: ManagedRedis,
}

impl Replicated {
    /// Starts both, and returns when the replica has all that the server has.
    ///
    /// # Errors
    /// As [`ManagedRedis::start`], and [`LabError::NotTogether`].
    pub async fn start(config: &ManagedConfig) -> Result<Self, LabError> {
        let config = ManagedConfig { directives: format!("{}{AT_ONCE}", config.directives), ..config.clone() };
        let (primary, replica) = (ManagedRedis::start(&config).await?, ManagedRedis::start(&config).await?);
        follow(&replica, &primary).await?;
        Ok(Self { primary, _replica: replica })
    }
}

/// By default Redis waits 5 s for more replicas before it copies its data.
pub(super) const AT_ONCE: &str = "repl-diskless-sync-delay 0\n";

/// Makes `replica` follow `primary`, and returns when it does.
pub(super) async fn follow(replica: &ManagedRedis, primary: &ManagedRedis) -> Result<(), LabError> {
    let primary = primary.announced();
    replica.admin().query::<()>(redis::cmd("REPLICAOF").arg(primary.ip().to_string()).arg(primary.port())).await?;
    let what = "the replica did not catch up with its primary";
    together(what, replica.start_deadline(), async || is_linked(replica).await).await
}

/// `None` where a replica is up to date; else what it says.
pub(super) async fn is_linked(replica: &ManagedRedis) -> Option<String> {
    match replica.admin().query::<String>(redis::cmd("INFO").arg("replication")).await {
        Ok(info) if info.contains("master_link_status:up") => None,
        Ok(info) => {
            Some(info.lines().find(|line| line.starts_with("master_link_status")).unwrap_or("no link").to_owned())
        }
        Err(error) => Some(error.to_string()),
    }
}
