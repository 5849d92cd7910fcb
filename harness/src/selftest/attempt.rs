//! What became of one drill of the self-test.

use firedrill_reports::Run;
use firedrill_reports::run::{CheckVerdict, GateVerdict, Verdict};
use serde::{Deserialize, Serialize};

use super::pairing::Pairing;
use crate::targets::defect::End;

/// A drill that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The store, and where it was drilled.
    #[serde(flatten)]
    pub pairing: Pairing,
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub ended: Ended,
    /// What failed: gates by their keys, checkers as `checks.NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// Why it did not pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// How long it took, in seconds, repeats included.
    pub seconds: f64,
}

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It passed.
    Passed,
    /// A gate failed or a check was invalid.
    Failed,
    /// It proves nothing.
    Inconclusive,
}

/// What an attempt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// The defect was caught as it must be.
    Caught,
    /// It was not, or by something else.
    Missed,
    /// The sound store passed.
    Sound,
    /// The sound store failed.
    Accused,
    /// Nothing.
    Unknown,
}

impl Attempt {
    /// What became of `pairing` at `seed`; `None` if the drill was interrupted.
    pub fn of(pairing: Pairing, seed: u64, run: &Run, seconds: f64) -> Option<Self> {
        let ended = match run.verdict {
            Verdict::Passed => Ended::Passed,
            Verdict::Failed => Ended::Failed,
            Verdict::Inconclusive => Ended::Inconclusive,
            Verdict::Interrupted => return None,
        };
        Some(Self { pairing, seed, ended, failed: failures(run), reasons: run.reasons.clone(), seconds })
    }

    /// What it says. A drill that fails for another reason than the one that is stated has not caught the defect, and an
    /// inconclusive one has caught nothing.
    pub fn judged(&self) -> Judged {
        let named = |by: &str| self.failed.iter().any(|failed| failed == by);
        match (self.ended, self.pairing.defect.is_some()) {
            (Ended::Inconclusive, _) => Judged::Unknown,
            (Ended::Passed, false) => Judged::Sound,
            (Ended::Failed, false) => Judged::Accused,
            (Ended::Passed, true) => Judged::Missed,
            (Ended::Failed, true) => match self.pairing.end() {
                Some(End::Caught(by) | End::CaughtAlone(by)) if !by.iter().all(|by| named(by)) => Judged::Missed,
                _ => Judged::Caught,
            },
        }
    }
}

/// The gates that failed, and the checks that are invalid and count.
pub fn failures(run: &Run) -> Vec<String> {
    let gates = run.gates.iter().filter(|gate| gate.verdict == GateVerdict::Fail).map(|gate| gate.name.clone());
    let checks = run.checks.iter().filter(|check| check.counts && check.verdict == CheckVerdict::Invalid);
    gates.chain(checks.map(|check| format!("checks.{}", check.name))).collect()
}
