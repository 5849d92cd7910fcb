//! Errors of the faults themselves.

use std::time::Duration;

use crate::lab::LabError;
use crate::proxy::ProxyError;

/// Why a fault could not be injected or healed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The lab refused or failed.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The proxy refused or failed.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The fault needs the fault proxy, and there is none in front of the server.
    #[error("there is no fault proxy in front of Redis at {address}")]
    NoProxy {
        /// Host and port.
        address: String,
    },
    /// The lab has no such server now.
    #[error("there is no server for `to` ({to})")]
    NoServer {
        /// The server, in words.
        to: String,
    },
    /// The fault is limited to commands, and the proxy cannot read them.
    #[error("{fault} cannot strike at commands (`on`): {why}")]
    Unreadable {
        /// The fault's kind.
        fault: &'static str,
        /// Why, and what to do instead.
        why: String,
    },
    /// The fault hits the application, but the drill drives none.
    #[error("{fault} hits the application: it needs an application that the drill starts: app.command")]
    NoApp {
        /// The fault's kind.
        fault: &'static str,
    },
    /// The fault changes the store's password, and the store has none.
    #[error(
        "{fault} with `overlap` needs a store that logs in with a password: give --redis a URL with one, or leave --redis out"
    )]
    NoPassword {
        /// The fault's kind.
        fault: &'static str,
    },
    /// Another fault of the scenario interferes.
    #[error("{fault} needs a running server, and another fault ({by}) keeps it dead at that time: separate the two")]
    Overlaps {
        /// The fault that cannot act.
        fault: &'static str,
        /// The kinds that may interfere.
        by: &'static str,
    },
    /// A call to the fault took too long.
    #[error("{doing} took longer than {deadline:?}")]
    Deadline {
        /// The action that timed out.
        doing: &'static str,
        /// The time it was given.
        deadline: Duration,
    },
    /// The nemesis's thread could not be started.
    #[error("cannot start the nemesis: {0}")]
    Start(#[source] std::io::Error),
}

impl FaultError {
    /// Whether the scenario, or what it should run on, is wrong.
    pub fn is_usage(&self) -> bool {
        match self {
            FaultError::Lab(error) => error.is_usage(),
            FaultError::NoApp { .. } | FaultError::NoPassword { .. } => true,
            _ => false,
        }
    }
}
