//! What must lie within the load: deploys, and faults with the time in which their recovery is seen.

use std::time::Duration;

use super::error::Problem;
use super::model::{LoadSpec, Scenario};
use crate::fault::FaultSpec;
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
        if let Some((key, message, help)) = untimely(fault, scenario.steady.window, load_end) {
            found.push(Problem::at(&format!("fault.{i}.{key}"), message, help));
        }
    }
}

/// Why a fault would prove nothing: it would never begin, or nobody would see the target recover. A fault with `on` may
/// end sooner than planned, so only its beginning counts.
fn untimely(fault: &FaultSpec, steady_for: Span, load_end: Duration) -> Option<(&'static str, String, String)> {
    if fault.at.0 >= load_end {
        let help = format!("give a time within the load, which ends after {}", Span(load_end));
        return Some(("at", "the load has ended by then".to_owned(), help));
    }
    let last = fault.every.0.saturating_mul(fault.repeat.saturating_sub(1)).saturating_add(fault.spread.0);
    let end = fault.at.0.saturating_add(last).saturating_add(fault.lasting.0);
    let seen = end.saturating_add(steady_for.0);
    // The steady state must hold for that long within the load, and a fault ends a little after its time.
    (fault.on.is_none() && seen >= load_end).then(|| {
        let message = format!(
            "the load ends after {}, too soon to see the target recover from this fault, which ends after {}",
            Span(load_end),
            Span(end)
        );
        let help = format!("let the load last longer than {}: a steady state holds for {steady_for}", Span(seen));
        ("for", message, help)
    })
}

fn end_of_load(load: &LoadSpec) -> Duration {
    let stages: Duration = load.stages.iter().map(|stage| stage.length.0).sum();
    load.at.0.saturating_add(load.length.map_or(stages, |length| length.0))
}
