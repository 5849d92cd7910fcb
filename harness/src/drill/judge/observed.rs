//! A drill's observations beside its history.

use firedrill_reports::run::{Fact, Gate};

use crate::drill::pulse::Delays;
use crate::drill::sampler::Sampled;
use crate::fault::FaultReport;
use crate::history::Tail;
use crate::load::LoadSummary;
use crate::measure::Stall;

/// The observations beside the history.
pub struct Observed {
    /// Whether the history on disk is complete.
    pub tail: Tail,
    /// How the generator fared.
    pub load: LoadSummary,
    /// The outcomes of the faults.
    pub faults: Vec<FaultReport>,
    /// When the machine kept the harness from running.
    pub stalls: Vec<Stall>,
    /// When it kept which thread of it from running.
    pub delays: Delays,
    /// What was sampled beside the load.
    pub sampled: Sampled,
    /// Why the drill cannot count, as far as is known already.
    pub doubts: Vec<String>,
    /// A signal ended it.
    pub interrupted: bool,
    /// Sessions in Redis when the load was over, where they could be counted.
    pub active: Option<u64>,
    /// Sessions that the store held in memory then, where it can tell.
    pub held: Option<u64>,
    /// The scenario's claims, measured.
    pub claims: Vec<Gate>,
    /// What the drill ran on.
    pub environment: Vec<Fact>,
    /// The command line that runs the same drill again.
    pub replay: String,
}
