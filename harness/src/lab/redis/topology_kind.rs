//! The description of a topology. Each topology has its own file in this folder.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::managed::ManagedConfig;
use crate::lab::error::{LabError, ServerError};
use crate::lab::server::Servers;

/// Servers that are starting.
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
    /// Where the fault proxy is.
    pub proxies: Proxies,
    /// Whether another server takes over if one is lost: then writes that the lost server acknowledged but had not
    /// replicated are lost with it.
    pub fails_over: bool,
    /// Starts the servers as child processes, and returns once they work together.
    pub start: for<'a> fn(&'a ManagedConfig) -> Starting<'a>,
}

/// Where the fault proxy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxies {
    /// In front of the only server that clients connect to.
    OneInFront,
    /// In front of each server, which announces its proxy: clients learn the addresses from the servers.
    OneEachAnnounced,
}

impl Proxies {
    /// In words, for users.
    pub fn words(self) -> &'static str {
        match self {
            Proxies::OneInFront => "before the server",
            Proxies::OneEachAnnounced => "in front of each server, announced",
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
