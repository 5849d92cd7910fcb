//! What must begin within the load: deploys and faults.

use std::time::Duration;

use super::error::Problem;
use super::model::{LoadSpec, Scenario};
use crate::units::Span;

/// All problems of a scenario whose loads and faults are valid one by one.
pub(super) fn problems(found: &mut Vec<Problem>, scenario: &Scenario) {
    let load_end = scenario.load.iter().map(end_of_load).max().unwrap_or_default();
    let mut before = None;
    for (i, deploy) in scenario.deploy.iter().enumerate() {
        let at = format!("deploy.{i}.at");
        if deploy.at.0 >= load_end {
            found.push(Problem::at(&at, "the load has ended by then", "give a time within the load"));
        }
        if before.is_some_and(|before| before >= deploy.at) {
            found.push(Problem::at(&at, "deploys must be in order of time", "give a later time"));
        }
        before = Some(deploy.at);
    }
    for (i, fault) in scenario.fault.iter().enumerate().filter(|(_, fault)| fault.at.0 >= load_end) {
        let help = format!("the load ends after {}, and the fault would begin after {}", Span(load_end), fault.at);
        found.push(Problem::at(&format!("fault.{i}.at"), "the load has ended by then", help));
    }
}

fn end_of_load(load: &LoadSpec) -> Duration {
    let stages: Duration = load.stages.iter().map(|stage| stage.length.0).sum();
    load.at.0.saturating_add(load.length.map_or(stages, |length| length.0))
}
