//! A drill's observations besides its history.

use firedrill_reports::run::{Fact, Gate};

use crate::drill::pulse::Delays;
use crate::drill::sampler::Sampled;
use crate::fault::FaultReport;
use crate::history::Tail;
use crate::load::LoadSummary;
use crate::measure::Stall;

/// The observations besides the history.
pub struct Observed {
    /// Whether the history on disk is complete.
    pub tail: Tail,
    /// The load's summary, with the generator's figures.
    pub load: LoadSummary,
    /// The outcomes of the faults.
    pub faults: Vec<FaultReport>,
    /// When the machine kept the harness from running.
    pub stalls: Vec<Stall>,
    /// When the machine kept which thread of the harness from running.
    pub delays: Delays,
    /// What was sampled during the load.
    pub sampled: Sampled,
    /// The reasons known so far why the drill does not count.
    pub doubts: Vec<String>,
    /// Whether a signal ended the drill.
    pub interrupted: bool,
    /// What the target says of how the load reached it.
    pub remarks: Vec<String>,
    /// Sessions in Redis at the end of the load, if they could be counted.
    pub active: Option<u64>,
    /// Sessions in the store's memory at that time, if the store can tell.
    pub held: Option<u64>,
    /// The scenario's claims, measured.
    pub claims: Vec<Gate>,
    /// What the drill ran on.
    pub environment: Vec<Fact>,
    /// The command line that repeats the drill.
    pub replay: String,
}
