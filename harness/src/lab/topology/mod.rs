//! How the drill's own Redis is run: one server, one behind TLS, one with a replica, or several that work together. One
//! file each. What the store has to know to reach it is its [`Access`].

mod cluster;
mod doors;
mod group;
mod replica;
mod sentinel;
mod slots;
mod tls;

use std::time::Duration;

use firedrill_storage::Deployment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use cluster::cluster;
pub use doors::Doors;
pub use group::Group;
pub use replica::Replicated;
pub use sentinel::sentinel;
pub use slots::{Redirections, Slots, Way};
pub use tls::Secured;

use super::error::LabError;
use super::url::RedisUrl;

/// How Redis is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// One server.
    #[default]
    Standalone,
    /// One server, reached by TLS as an ACL user with no more rights than the store needs.
    Tls,
    /// One server and its replica; nobody lets the replica take over.
    Replica,
    /// A primary, its replica, and three sentinels that let it take over.
    Sentinel,
    /// A cluster of three primaries, each with a replica.
    Cluster,
}

impl Topology {
    /// Its word in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Tls => "tls",
            Self::Replica => "replica",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
        }
    }

    /// Whether another server takes over when one is lost: then what the lost one had acknowledged and not yet passed on is
    /// lost with it. Clients learn the addresses from the servers, so a proxy before each of them has to be announced.
    pub fn fails_over(self) -> bool {
        matches!(self, Self::Sentinel | Self::Cluster)
    }
}

/// How a store reaches a Redis.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where it is, who the store is there, and how connections are secured.
    pub url: RedisUrl,
    /// How it is run.
    pub deployment: Deployment,
}

impl Access {
    /// To one server.
    pub fn one(url: RedisUrl) -> Self {
        Self { url, deployment: Deployment::Standalone }
    }

    /// The same by way of a proxy that listens on `address`.
    ///
    /// # Errors
    /// As [`RedisUrl::at`].
    pub fn through(&self, address: std::net::SocketAddr) -> Result<Self, LabError> {
        Ok(Self { url: self.url.at(address)?, ..self.clone() })
    }
}

/// Between two looks at servers that are to come together.
const POLL: Duration = Duration::from_millis(20);

/// Asks again and again until there is nothing `missing` any more.
async fn together(
    what: &'static str,
    deadline: Duration,
    mut missing: impl AsyncFnMut() -> Option<String>,
) -> Result<(), LabError> {
    let until = Instant::now() + deadline;
    while let Some(seen) = missing().await {
        if Instant::now() >= until {
            return Err(LabError::NotTogether { what, deadline, seen });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
