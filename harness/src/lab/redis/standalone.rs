//! One server: a child process, a container, or an external one.

use std::sync::Arc;

use super::external::{Existing, ExternalRedis};
use super::managed::{ManagedConfig, ManagedRedis};
use super::topology_kind::{Reached, TopologyKind};
use crate::lab::access::Access;
use crate::lab::error::LabError;
use crate::lab::server::{Server, Servers};

/// The description of this topology.
pub const KIND: TopologyKind = TopologyKind {
    name: "standalone",
    about: "One server.",
    servers: "one server",
    processes: 1,
    proxied: 1,
    reached: Reached::Plainly,
    fails_over: false,
    start: |config| Box::pin(start(config)),
    find: Some(|existing| Box::pin(find(existing))),
};

async fn start(config: &ManagedConfig) -> Result<Box<dyn Servers>, LabError> {
    Ok(Box::new(Standalone::of(ManagedRedis::start(config).await?)))
}

async fn find(existing: &Existing) -> Result<Box<dyn Servers>, LabError> {
    let Existing { url, deadline, .. } = existing;
    Ok(Box::new(Standalone::of(ExternalRedis::connect(url.clone(), *deadline, KIND.name).await?)))
}

/// One server.
pub struct Standalone([Arc<dyn Server>; 1]);

impl Standalone {
    /// Wraps `server`.
    pub fn of(server: impl Server + 'static) -> Self {
        Self([Arc::new(server)])
    }
}

impl Servers for Standalone {
    fn access(&self) -> Access {
        Access::one(self.0[0].url().clone())
    }

    fn all(&self) -> &[Arc<dyn Server>] {
        &self.0
    }
}
