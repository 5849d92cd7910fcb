//! The servers behind a store: one, wherever it is at the moment, or the primaries of a cluster.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::cluster::{Cluster, Leaders};
use super::link::Link;
use super::request::Request;
use crate::error::StoreError;

/// Cheap to clone.
#[derive(Clone)]
pub(super) enum Servers {
    One(Arc<Link>),
    Cluster(Arc<Cluster>),
}

impl Servers {
    /// Carries out a request that names a key, by `deadline`, which is `limit` after the call began.
    pub(super) async fn call(
        &self,
        request: &Request,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, StoreError> {
        match self {
            Servers::One(link) => link.call(request, deadline, limit, false).await.map_err(|failure| failure.error),
            Servers::Cluster(cluster) => cluster.call(request, deadline, limit).await,
        }
    }

    /// A link to every server that has sessions.
    pub(super) async fn all(&self, deadline: Instant) -> Result<Vec<Arc<Link>>, StoreError> {
        match self {
            Servers::One(link) => Ok(vec![Arc::clone(link)]),
            Servers::Cluster(cluster) => cluster.primaries(deadline).await,
        }
    }

    /// The layout, where there is one.
    pub(super) async fn leaders(&self, deadline: Instant) -> Result<Option<Leaders>, StoreError> {
        match self {
            Servers::One(_) => Ok(None),
            Servers::Cluster(cluster) => cluster.leaders(deadline).await.map(Some),
        }
    }

    /// Waits, without limit, until there is a connection to every server.
    pub(super) async fn connected(&self) {
        match self {
            Servers::One(link) => link.connected().await,
            Servers::Cluster(cluster) => cluster.connected().await,
        }
    }

    /// Whether there is a connection to any server.
    pub(super) fn is_up(&self) -> bool {
        match self {
            Servers::One(link) => link.is_up(),
            Servers::Cluster(cluster) => cluster.is_up(),
        }
    }

    /// Why there is no connection.
    pub(super) async fn reason(&self) -> StoreError {
        let now = Instant::now();
        let links = match self.all(now).await {
            Ok(links) => links,
            Err(error) => return error,
        };
        for link in links {
            if let Err(error) = link.connection(now).await {
                return error;
            }
        }
        StoreError::Unavailable { reason: "there was no connection in time".to_owned() }
    }
}
