//! What a drill returns to the program that ran it.

use std::fmt;
use std::path::PathBuf;

use firedrill_reports::Run;
use firedrill_reports::run::{Check, Gate, REPORT_FILE, Verdict};

/// The result of a drill.
#[derive(Debug, Clone)]
pub struct DrillReport {
    /// The whole record, as in `run.json`.
    pub run: Run,
    /// The folder with `run.json`, `report.html`, the history and the latency log.
    pub dir: PathBuf,
}

impl DrillReport {
    /// Passed, failed, inconclusive or interrupted.
    pub fn verdict(&self) -> Verdict {
        self.run.verdict
    }

    /// Why it did not pass, the most important reason first.
    pub fn reasons(&self) -> &[String] {
        &self.run.reasons
    }

    /// Every gate with its figure.
    pub fn gates(&self) -> &[Gate] {
        &self.run.gates
    }

    /// What every checker found.
    pub fn checks(&self) -> &[Check] {
        &self.run.checks
    }

    /// The checker of this name; `None` if it does not apply to the target.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.run.checks.iter().find(|check| check.name == name)
    }

    /// The path of the HTML report.
    pub fn html(&self) -> PathBuf {
        self.dir.join(REPORT_FILE)
    }

    /// # Panics
    /// If the drill did not pass, even if it was inconclusive. The message contains the table of gates and checks, the
    /// reasons, the command to repeat the drill, and the path of its report.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.run.verdict == Verdict::Passed, "the drill did not pass\n\n{self}");
    }
}

impl fmt::Display for DrillReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = &self.run;
        writeln!(f, "{}: {} (seed {})", run.scenario.name, run.verdict.name(), run.seed)?;
        run.reasons.iter().try_for_each(|reason| writeln!(f, "  {reason}"))?;
        for gate in &run.gates {
            let actual = if gate.actual.is_some() { &gate.actual_text } else { &gate.note };
            writeln!(f, "  gate   {:7} {} {} (was: {actual})", gate.verdict.name(), gate.name, gate.limit)?;
        }
        for check in &run.checks {
            writeln!(f, "  check  {:7} {}: {}", check.verdict.name(), check.name, check.summary)?;
        }
        writeln!(f, "again:  {}\nreport: {}", run.replay, self.html().display())
    }
}
