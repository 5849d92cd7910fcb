//! Whether an application is connected to Redis, by its own word.

use std::net::SocketAddr;
use std::time::Duration;

use regex::Regex;

use super::super::description::ConnectedSpec;
use super::probe;
use crate::target::BuildError;

/// The time limit for an answer.
const DEADLINE: Duration = Duration::from_secs(1);

/// Where an application is asked, and what it says while it is connected.
#[derive(Clone)]
pub(super) struct Asked {
    path: String,
    body: Option<Regex>,
}

impl Asked {
    /// Compiles a description.
    ///
    /// # Errors
    /// What is no regular expression; [`launch::flaws`](super::launch::flaws) finds it first.
    pub(super) fn of(spec: &ConnectedSpec) -> Result<Self, BuildError> {
        Ok(Self { path: spec.get.clone(), body: spec.body.as_deref().map(Regex::new).transpose()? })
    }

    /// Whether the instance at `address` says that it is connected.
    pub(super) async fn says_yes(&self, address: SocketAddr) -> bool {
        let Some((status, body)) = probe::ask(address, &self.path, DEADLINE).await else { return false };
        let said = || self.body.as_ref().is_none_or(|regex| regex.is_match(&String::from_utf8_lossy(&body)));
        status.is_success() && said()
    }
}
