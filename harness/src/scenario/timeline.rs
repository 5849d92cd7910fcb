//! What must begin within the load: deploys and faults.

use std::time::Duration;

use super::error::Problem;
use super::load_model::LoadSpec;
use super::model::Scenario;
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
    for (i, fault) in scenario.fault.iter().enumerate() {
        let before_last = fault.repeat.saturating_sub(1);
        let last = fault.at.0.saturating_add(fault.every.0.saturating_mul(before_last));
        if fault.at.0 >= load_end {
            let help = format!("the load ends after {}, and the fault would begin after {}", Span(load_end), fault.at);
            found.push(Problem::at(&format!("fault.{i}.at"), "the load has ended by then", help));
        } else if last >= load_end {
            let message = format!("the load has ended by the last of {} occurrences", fault.repeat);
            let within = within(fault.at.0, fault.every.0, load_end);
            let help = format!(
                "the load ends after {}, and the last would begin after {}: at most {within}",
                Span(load_end),
                Span(last)
            );
            found.push(Problem::at(&format!("fault.{i}.repeat"), message, help));
        }
    }
}

/// How many occurrences, `every` from one start to the next, begin before `end`; at least one does.
fn within(at: Duration, every: Duration, end: Duration) -> u128 {
    (end - at).as_nanos().saturating_sub(1) / every.as_nanos().max(1) + 1
}

/// When a load ends, from the start of all.
pub(super) fn end_of_load(load: &LoadSpec) -> Duration {
    let stages = load.stages.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.length.0));
    load.at.0.saturating_add(load.length.map_or(stages, |length| length.0))
}
