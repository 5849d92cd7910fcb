//! The description of a topology. Each is a file beside this one.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::managed::ManagedConfig;
use crate::lab::error::{LabError, ServerError};
use crate::lab::server::Servers;

/// Servers that are being started.
pub type Starting<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Servers>, LabError>> + Send + 'a>>;

/// A way to run Redis.
pub struct TopologyKind {
    /// Its word in scenarios.
    pub name: &'static str,
    /// One sentence, for the JSON Schema and `firedrill list topologies`.
    pub about: &'static str,
    /// The servers and what they need, for docs/labs.md.
    pub servers: &'static str,
    /// How many processes they are.
    pub processes: usize,
    /// How a store reaches them.
    pub reached: Reached,
    /// Whether another server takes over when one is lost: then writes that the lost one had acknowledged but not replicated
    /// are lost with it.
    pub fails_over: bool,
    /// Starts the servers as child processes, and returns when they work together.
    pub start: for<'a> fn(&'a ManagedConfig) -> Starting<'a>,
}

/// How a store reaches the servers. From it follows what else can be drilled there, and where the fault proxy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// At one address without TLS, as a user with all rights: what knows no other way works here as well.
    Plainly,
    /// At one address by TLS, as an ACL user with few rights.
    ByTls,
    /// At the addresses that the servers announce: where each is drilled through its own proxy, that proxy's.
    ByAnnouncement,
}

impl Reached {
    /// Where the fault proxy is, for people.
    pub fn proxies(self) -> &'static str {
        match self {
            Reached::Plainly | Reached::ByTls => "before the server",
            Reached::ByAnnouncement => "in front of each server, announced",
        }
    }
}

/// Between two looks at servers that are forming a group.
pub const POLL: Duration = Duration::from_millis(20);

/// Asks again and again until there is nothing `missing` any more.
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
