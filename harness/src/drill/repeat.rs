//! Faults as a person started and ended them in an earlier run.

use std::path::{Path, PathBuf};

use firedrill_reports::Run;
use firedrill_reports::run::Fault;

use super::error::DrillError;
use crate::clock::Nanos;
use crate::fault::{Timeline, Window};
use crate::plan::Plan;

/// An earlier run whose faults are to come again.
#[derive(Debug, Clone)]
pub struct Repeat {
    place: PathBuf,
    scenario: String,
    faults: Vec<Fault>,
}

impl Repeat {
    /// The faults of `run`, which is saved at `place`.
    pub fn of(run: &Run, place: &Path) -> Self {
        Self { place: place.to_owned(), scenario: run.scenario.name.clone(), faults: run.faults.clone() }
    }

    /// Where the run is.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// When the faults of `plan` were started and ended.
    ///
    /// # Errors
    /// [`DrillError::Unfit`] if the run was of another scenario or of other faults, or nobody started any by hand.
    pub fn timeline(&self, plan: &Plan) -> Result<Timeline, DrillError> {
        let place = self.place.display();
        let unfit = |message: String, help: &str| DrillError::Unfit(message, help.to_owned());
        let name = &plan.scenario.name;
        if self.scenario != *name {
            let message = format!("{place} is a run of {}, not of {name}", self.scenario);
            return Err(unfit(message, "give a run of this scenario"));
        }
        let mut windows: Vec<Window> = Vec::new();
        for fault in self.faults.iter().filter(|fault| fault.by_hand) {
            let kind = plan.faults.get(fault.index as usize).map(|spec| spec.kind.name());
            if kind != Some(&fault.kind) {
                let now = kind.map_or_else(|| "is not there".to_owned(), |kind| format!("is {kind}"));
                let message =
                    format!("fault {} of {place} is {}, and in this scenario it {now}", fault.index, fault.kind);
                return Err(unfit(message, "use the scenario as it was: the replay line of the run has its changes"));
            }
            // Nobody started it.
            let Some(lasted) = fault.planned_for_ms else { continue };
            let on = nanos(fault.planned_at_ms);
            let occurrence = windows.iter().filter(|window| window.fault == fault.index).count() as u32;
            windows.push(Window { fault: fault.index, occurrence, on, off: on + nanos(lasted) });
        }
        if windows.is_empty() {
            let message = format!("no fault of {place} was started by hand");
            return Err(unfit(message, "give a run that was made with --inject"));
        }
        Ok(Timeline::of(windows))
    }
}

fn nanos(ms: f64) -> Nanos {
    (ms * 1e6).round() as Nanos
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Source, parse};

    fn plan(kind: &str) -> Plan {
        let text = format!(
            "name = \"x\"\nabout = \"y\"\n[[load]]\nrate = \"9/s\"\nfor = \"9s\"\n\
             [[fault]]\nkind = \"{kind}\"\nat = \"1s\"\nfor = \"1s\"\n[gates]\n\"during.errors\" = \"<= 1%\"\n"
        );
        Plan::of(parse(&Source { name: "x.toml".to_owned(), text }, &[]).unwrap(), 1).unwrap()
    }

    fn fault(at: f64, lasted: Option<f64>) -> Fault {
        let kind = "proxy.down".to_owned();
        Fault { kind, planned_at_ms: at, planned_for_ms: lasted, by_hand: true, ..Fault::default() }
    }

    fn repeat(scenario: &str, faults: Vec<Fault>) -> Repeat {
        Repeat { place: "runs/x".into(), scenario: scenario.to_owned(), faults }
    }

    #[test]
    fn each_time_that_somebody_started_it_is_an_occurrence() {
        let faults = vec![fault(4_000.5, Some(250.0)), fault(2_000.25, Some(1_000.0)), fault(9_000.0, None)];
        let timeline = repeat("x", faults).timeline(&plan("proxy.down")).unwrap();
        let windows: Vec<_> = timeline.windows().iter().map(|w| (w.fault, w.on, w.off)).collect();
        assert_eq!(windows, [(0, 2_000_250_000, 3_000_250_000), (0, 4_000_500_000, 4_250_500_000)]);
    }

    #[test]
    fn what_is_no_run_of_these_faults_is_refused_with_the_reason() {
        let says = |repeat: Repeat, kind| repeat.timeline(&plan(kind)).unwrap_err().to_string();
        let once = || vec![fault(4_000.0, Some(1.0))];
        let other = says(repeat("y", once()), "proxy.down");
        assert_eq!(other, "runs/x is a run of y, not of x; give a run of this scenario");
        let kind = says(repeat("x", once()), "process.stop");
        assert!(
            kind.starts_with("fault 0 of runs/x is proxy.down, and in this scenario it is process.stop;"),
            "{kind}"
        );
        let never = says(repeat("x", vec![fault(9.0, None)]), "proxy.down");
        let by_time = says(repeat("x", vec![Fault { by_hand: false, ..fault(1.0, Some(1.0)) }]), "proxy.down");
        for said in [never, by_time] {
            assert_eq!(said, "no fault of runs/x was started by hand; give a run that was made with --inject");
        }
    }
}
