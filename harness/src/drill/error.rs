//! Why a drill could not run. A failing target is not one of the reasons: that is a verdict.

use std::path::PathBuf;

use firedrill_reports::RunError;
use firedrill_reports::hlog::HlogError;

use super::protection::Refusal;
use super::resources::Lack;
use crate::fault::FaultError;
use crate::history::HistoryError;
use crate::lab::LabError;
use crate::load::LoadError;
use crate::plan::PlanFailure;
use crate::proxy::ProxyError;
use crate::scenario::{NoSuchScenario, ScenarioError};

/// Why a drill could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// The scenario cannot be read or is invalid.
    #[error("{}", in_full(.0))]
    Scenario(#[from] ScenarioError),
    /// No shipped scenario has this name.
    #[error(transparent)]
    NoSuchScenario(#[from] NoSuchScenario),
    /// The scenario is valid but cannot be carried out.
    #[error("{0}: {1}")]
    Plan(String, PlanFailure),
    /// No Redis is available, or it went away for good.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// Other clients use the Redis, and the drill would have harmed them.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The proxy could not be set up.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The target could not be built.
    #[error("the target cannot be set up: {0}")]
    Target(crate::target::BuildError),
    /// The scenario's target cannot reach this Redis.
    #[error("{0}; {1}")]
    Unfit(String, String),
    /// Every operation before the load failed although Redis itself is healthy.
    #[error(
        "nothing of the preload succeeded: of {operations} operations none was acknowledged by the store itself ({seen}), \
         though Redis takes the target's commands on a direct line. The drill ended before its load and proves nothing"
    )]
    NothingWorked {
        /// The number of operations.
        operations: u64,
        /// How they ended, the most frequent first: "unreachable 200".
        seen: String,
    },
    /// What was measured says nothing, because the target or the machine did not keep up.
    #[error(
        "{0}; nothing follows from that. Try again on a quieter machine, or see what the target does: firedrill run"
    )]
    Unsteady(String),
    /// One session could not be walked through its operations.
    #[error(
        "{0}\nsee every request and answer with: firedrill try FILE. The drill ended before its load and proves nothing"
    )]
    Walk(String),
    /// The application works, and nothing of it reached Redis.
    #[error(
        "the application did not use the Redis it was given: one session was made and written, and no write command reached \
         Redis. Does it read the variable that [app] sets, and does it keep its sessions in Redis at all? See: firedrill try FILE"
    )]
    WithoutRedis,
    /// The claims could not be measured.
    #[error("the claims cannot be measured: {0}")]
    Claims(#[from] crate::microbench::MicrobenchError),
    /// The generator could not start.
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
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The machine has too few resources for the drill.
    #[error(transparent)]
    Lack(#[from] Lack),
    /// Firedrill, or a custom target or observer, panicked. The drill's changes were undone.
    #[error("the drill panicked: {0}; its changes were undone, and its history ends there")]
    Panicked(String),
    /// The system provides no thread or no poller.
    #[error("cannot start the drill's runtime: {0}")]
    Runtime(std::io::Error),
}

impl From<Refusal> for DrillError {
    fn from(refusal: Refusal) -> Self {
        DrillError::Refused(Box::new(refusal))
    }
}

impl DrillError {
    /// Whether the drill began but was ended early as inconclusive.
    pub fn is_inconclusive(&self) -> bool {
        matches!(
            self,
            DrillError::NothingWorked { .. } | DrillError::Unsteady(_) | DrillError::Walk(_) | DrillError::WithoutRedis
        )
    }

    /// Whether the scenario, or what it should run on, is wrong, so that another Redis or another disk would not help.
    /// Otherwise the environment lacks something.
    pub fn is_usage(&self) -> bool {
        match self {
            DrillError::Scenario(_)
            | DrillError::NoSuchScenario { .. }
            | DrillError::Plan(..)
            | DrillError::Unfit(..) => true,
            DrillError::Refused(refusal) => refusal.is_usage(),
            DrillError::Lab(error) => error.is_usage(),
            DrillError::Fault(error) => error.is_usage(),
            DrillError::NothingWorked { .. }
            | DrillError::Unsteady(_)
            | DrillError::Walk(_)
            | DrillError::WithoutRedis
            | DrillError::Proxy(_)
            | DrillError::Target(_)
            | DrillError::Claims(_)
            | DrillError::Load(_)
            | DrillError::History(_)
            | DrillError::Latencies(_)
            | DrillError::Run(_)
            | DrillError::Write { .. }
            | DrillError::Lack(_)
            | DrillError::Panicked(_)
            | DrillError::Runtime(_) => false,
        }
    }
}

/// A scenario's errors with their locations in its text, without colours, as fits a test's output.
fn in_full(error: &ScenarioError) -> String {
    let mut text = String::new();
    match miette::NarratableReportHandler::new().with_footer(String::new()).render_report(&mut text, error) {
        Ok(()) => text.trim_end().to_owned(),
        Err(_) => error.to_string(),
    }
}
