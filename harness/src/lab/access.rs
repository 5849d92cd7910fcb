//! How a store reaches the servers of a lab.

use firedrill_storage::Deployment;

use super::error::LabError;
use super::url::RedisUrl;

/// How a store reaches a Redis.
#[derive(Debug, Clone)]
pub struct Access {
    /// Address, login and connection security.
    pub url: RedisUrl,
    /// How that Redis is deployed.
    pub deployment: Deployment,
}

impl Access {
    /// Access to a single server.
    pub fn one(url: RedisUrl) -> Self {
        Self { url, deployment: Deployment::Standalone }
    }

    /// The same access through a proxy listening on `address`.
    ///
    /// # Errors
    /// Same as [`RedisUrl::at`].
    pub fn through(&self, address: std::net::SocketAddr) -> Result<Self, LabError> {
        Ok(Self { url: self.url.at(address)?, ..self.clone() })
    }
}
