//! The highest rate at which whole drills pass.

use serde::{Deserialize, Serialize};

use crate::run::Verdict;

/// The highest rate at which the scenario's own faults still pass its own gates and checks. Rates are in operations per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Survivable {
    /// The answer.
    pub answer: SurvivableAnswer,
    /// The mean rate that the scenario itself asks for.
    pub own_rate: f64,
    /// The scenario's faults.
    pub faults: Vec<String>,
    /// Every drill, in the order in which they ran.
    pub drills: Vec<Drilled>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SurvivableAnswer {
    /// Drills passed at one rate and did not at a higher one.
    Between {
        /// The highest rate at which they passed.
        rate: f64,
        /// The lowest at which they did not.
        below: f64,
        /// Whether drills at that rate were inconclusive rather than failed.
        doubtful: bool,
    },
    /// Drills passed at this rate, and none was faster.
    AtLeast {
        /// The rate.
        rate: f64,
    },
    /// Drills failed even at this rate.
    Below {
        /// The rate.
        rate: f64,
    },
    /// No drill came to a conclusion.
    Unknown,
}

/// A drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drilled {
    /// The mean rate of its load.
    pub rate: f64,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it did not pass; empty if it did.
    pub reasons: Vec<String>,
    /// The folder of its record; empty if it left none.
    pub folder: String,
}

impl Survivable {
    /// Why the slowest drill that did not pass did not, first reason first; empty without one.
    pub fn what_broke(&self) -> &[String] {
        let broken = self.drills.iter().filter(|drill| drill.verdict != Verdict::Passed);
        // Only what is above the answer: a drill that a neighbour failed was repeated.
        let above = broken.filter(|drill| match self.answer {
            SurvivableAnswer::Between { below, .. } => drill.rate >= below,
            SurvivableAnswer::Below { rate } => drill.rate >= rate,
            SurvivableAnswer::AtLeast { .. } => false,
            SurvivableAnswer::Unknown => true,
        });
        above.min_by(|one, other| one.rate.total_cmp(&other.rate)).map_or(&[], |drill| &drill.reasons)
    }
}
