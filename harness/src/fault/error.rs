//! What can go wrong with a fault itself.

use std::time::Duration;

use crate::lab::LabError;
use crate::proxy::ProxyError;

/// Why a fault could not be brought about or undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The lab refused, or could not do it.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The proxy refused, or could not do it.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// It hits the application, and the drill drives none.
    #[error("{fault} hits the application: it needs [target] kind = \"app\"")]
    NoApp {
        /// The fault's kind.
        fault: &'static str,
    },
    /// Another fault of the scenario stands in its way.
    #[error(
        "{fault} needs a running server, and another fault ({by}) holds it dead at that time: let them not overlap"
    )]
    Overlaps {
        /// What cannot be done.
        fault: &'static str,
        /// The kinds that may be in the way.
        by: &'static str,
    },
    /// It was not done in time.
    #[error("{doing} took longer than {deadline:?}")]
    Deadline {
        /// What was being done.
        doing: &'static str,
        /// The time it was given.
        deadline: Duration,
    },
    /// The thread of the nemesis could not be started.
    #[error("cannot start the nemesis: {0}")]
    Start(#[source] std::io::Error),
}
