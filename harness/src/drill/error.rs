//! Why a drill could not be carried out. That the target failed is not among the reasons: that is what drills are for.

use std::path::PathBuf;

use firedrill_reports::RunError;
use firedrill_reports::hlog::HlogError;

use crate::fault::FaultError;
use crate::history::HistoryError;
use crate::lab::LabError;
use crate::load::LoadError;
use crate::proxy::ProxyError;
use crate::target::RedisTargetError;

/// Why a drill could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// No Redis to be had, or it went away for good.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The proxy could not be set up.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The store under test could not be built.
    #[error("the store cannot be set up: {0}")]
    Store(#[from] firedrill_storage::BuildError),
    /// The drill's keys could not be made: never, because they are derived.
    #[error("the drill's keys cannot be made: {0}")]
    Key(#[from] firedrill_storage::InvalidKey),
    /// The Redis cannot be driven with plain commands.
    #[error(transparent)]
    RedisTarget(#[from] RedisTargetError),
    /// The scenario drives an application, and none was started.
    #[error("the application was not started")]
    NoApp,
    /// The claims could not be measured.
    #[error("the claims cannot be measured: {0}")]
    Claims(#[from] crate::claim::ClaimError),
    /// The generator could not be started.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A fault could not be prepared.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The history could not be written or read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The latency log could not be written.
    #[error(transparent)]
    Latencies(#[from] HlogError),
    /// `run.json` could not be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A folder or a file of the run could not be written.
    #[error("cannot write {}: {source}; choose another folder with --out", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system has no thread or no poller to give.
    #[error("cannot start the drill's runtime: {0}")]
    Runtime(std::io::Error),
}
