//! The order for a drill: its plan, and how to run it.

use std::path::PathBuf;
use std::sync::Arc;

use firedrill_reports::run::Fact;
use tokio_util::sync::CancellationToken;

use super::observer::Observer;
use super::protection::Allowance;
use crate::lab::RedisUrl;
use crate::plan::Plan;
use crate::proxy::RemoteOptions;
use crate::targets::Factory;

/// Which Redis a drill runs on.
#[derive(Debug, Clone)]
pub enum RedisChoice {
    /// One of the drill's own, where the scenario's `[lab]` says; the binary, if it is not the one on PATH.
    Managed(Option<PathBuf>),
    /// One that is there already.
    External(RedisUrl),
}

/// A drill, ready to be carried out.
#[derive(Clone)]
pub struct Order {
    /// Everything that it will do.
    pub plan: Arc<Plan>,
    /// On which Redis.
    pub redis: RedisChoice,
    /// What it may do to a shared Redis.
    pub allowance: Allowance,
    /// The factory of a custom target.
    pub target: Option<Arc<dyn Factory>>,
    /// The `session-server` binary for a scenario that drives the application, if it is not where it is looked for.
    pub session_server: Option<PathBuf>,
    /// The Toxiproxy server through which faults of the network go, instead of the embedded proxy.
    pub toxiproxy: Option<RemoteOptions>,
    /// Threads that generate load.
    pub workers: usize,
    /// The command line that runs the same drill again.
    pub replay: String,
    /// Further lines about the environment for the report.
    pub remarks: Vec<Fact>,
    /// Where its record goes: a folder that is there and empty.
    pub dir: PathBuf,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// Ends it early: active faults are healed, and the report says so.
    pub stop: CancellationToken,
}
