//! An order for a drill: its plan, and how to run it.

use std::path::PathBuf;
use std::sync::Arc;

use firedrill_reports::run::Fact;
use tokio_util::sync::CancellationToken;

use super::observer::{Happening, Observer, Stage};
use super::protection::Allowance;
use crate::fault::ByHand;
use crate::lab::RedisUrl;
use crate::plan::Plan;
use crate::proxy::RemoteOptions;
use crate::targets::Factory;

/// Which Redis a drill runs on.
#[derive(Debug, Clone)]
pub enum RedisChoice {
    /// The drill's own Redis, located as the scenario's `[lab]` says; the binary, if it is not the one on PATH.
    Managed(Option<PathBuf>),
    /// An existing Redis.
    External(RedisUrl),
}

/// A drill that is ready to run.
#[derive(Clone)]
pub struct Order {
    /// Everything the drill will do.
    pub plan: Arc<Plan>,
    /// The Redis to use.
    pub redis: RedisChoice,
    /// What it may do to a shared Redis.
    pub allowance: Allowance,
    /// The factory of a custom target.
    pub target: Option<Arc<dyn Factory>>,
    /// The `session-server` binary for a scenario that drives the application, if it is not in one of the usual places.
    pub session_server: Option<PathBuf>,
    /// The Toxiproxy server for network faults, instead of the embedded proxy.
    pub toxiproxy: Option<RemoteOptions>,
    /// The number of threads that generate load.
    pub workers: usize,
    /// The command line that repeats the drill.
    pub replay: String,
    /// Additional facts about the environment, for the report.
    pub remarks: Vec<Fact>,
    /// The folder for its record: existing and empty.
    pub dir: PathBuf,
    /// The observer.
    pub observer: Arc<dyn Observer>,
    /// The switches of the faults, if a person starts and ends them.
    pub by_hand: Option<ByHand>,
    /// Cancelling it ends the drill early: active faults are healed, and the report says so.
    pub stop: CancellationToken,
}

impl Order {
    /// Tells the observer that the next step begins.
    pub fn step(&self, stage: Stage, text: &str) {
        self.observer.see(&Happening::Step { stage, text });
    }
}
