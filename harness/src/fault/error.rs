//! Errors of a fault itself.

use std::time::Duration;

use crate::lab::LabError;
use crate::proxy::ProxyError;

/// Why a fault could not be injected or undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The lab refused, or could not do it.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The proxy refused, or could not do it.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// It is injected by the fault proxy, and there is none in front of the server.
    #[error("there is no fault proxy in front of Redis at {address}")]
    NoProxy {
        /// Host and port.
        address: String,
    },
    /// It strikes at commands, and the proxy cannot read them.
    #[error("{fault} cannot strike at commands (`on`): {why}")]
    Unreadable {
        /// The fault's kind.
        fault: &'static str,
        /// Why, and what to do instead.
        why: String,
    },
    /// It hits the application, and the drill drives none.
    #[error("{fault} hits the application: it needs [target] kind = \"app\"")]
    NoApp {
        /// The fault's kind.
        fault: &'static str,
    },
    /// Another fault of the scenario is in its way.
    #[error("{fault} needs a running server, and another fault ({by}) keeps it dead at that time: separate the two")]
    Overlaps {
        /// What cannot be done.
        fault: &'static str,
        /// The kinds that may be in the way.
        by: &'static str,
    },
    /// It was not done in time.
    #[error("{doing} took longer than {deadline:?}")]
    Deadline {
        /// The action that failed.
        doing: &'static str,
        /// The time it was given.
        deadline: Duration,
    },
    /// The thread of the nemesis could not be started.
    #[error("cannot start the nemesis: {0}")]
    Start(#[source] std::io::Error),
}

impl FaultError {
    /// Whether the scenario, or what it was asked to run on, is wrong.
    pub fn is_usage(&self) -> bool {
        match self {
            FaultError::Lab(error) => error.is_usage(),
            FaultError::NoApp { .. } => true,
            _ => false,
        }
    }
}
