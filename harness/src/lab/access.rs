//! How a store reaches the servers of a lab.

use firedrill_storage::Deployment;

use super::error::LabError;
use super::url::RedisUrl;

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
