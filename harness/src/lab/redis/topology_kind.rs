//! The description of a topology. Each topology has its own file in this folder.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::external::Existing;
use super::managed::ManagedConfig;
use crate::lab::error::{LabError, ServerError};
use crate::lab::server::Servers;

/// Servers that are starting, or are being found.
pub type Starting<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Servers>, LabError>> + Send + 'a>>;

/// A way to run Redis.
pub struct TopologyKind {
    /// Its name in scenarios.
    pub name: &'static str,
    /// One sentence, for the JSON Schema and `firedrill list topologies`.
    pub about: &'static str,
    /// Its servers and their requirements, for docs/labs.md.
    pub servers: &'static str,
    /// The number of its processes.
    pub processes: usize,
    /// The number of servers that a store may reach, each through a proxy.
    pub proxied: usize,
    /// How a store reaches them.
    pub reached: Reached,
    /// Whether another server takes over if one is lost: then writes that the lost server acknowledged but had not
    /// replicated are lost with it.
    pub fails_over: bool,
    /// Starts the servers as child processes, and returns once they work together.
    pub start: for<'a> fn(&'a ManagedConfig) -> Starting<'a>,
    /// Finds the servers where they are already running; `None` if a drill must start them itself.
    pub find: Option<for<'a> fn(&'a Existing) -> Starting<'a>>,
}

/// How a store reaches the servers. From it follows what else can be drilled there, and where the fault proxy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// At one address without TLS, as a user with all rights, so that any client can.
    Plainly,
    /// At one address by TLS, as an ACL user with few rights.
    ByTls,
    /// At the addresses that the servers announce: their proxies'.
    ByAnnouncement,
}

impl Reached {
    /// Where the fault proxy is, in words for users.
    pub fn proxies(self) -> &'static str {
        match self {
            Reached::Plainly | Reached::ByTls => "before the server",
            Reached::ByAnnouncement => "in front of each server, announced",
        }
    }
}

/// Pause between two checks of servers that are forming a group.
pub const POLL: Duration = Duration::from_millis(20);

/// Polls `missing` until it reports nothing.
///
/// # Errors
/// [`ServerError::NotTogether`] with what was missing last.
pub async fn together<F: Future<Output = Option<String>>>(
    what: &'static str,
    deadline: Duration,
    mut missing: impl FnMut() -> F,
) -> Result<(), LabError> {
    let until = Instant::now() + deadline;
    while let Some(seen) = missing().await {
        if Instant::now() >= until {
            return Err(LabError::Server(ServerError::NotTogether { what, deadline, seen }));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
