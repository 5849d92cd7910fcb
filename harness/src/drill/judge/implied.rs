//! Limits on metrics that apply without being in the scenario. A gate on the same metric replaces its limit. What the
//! steady state limits is in [`steady`](super::steady).

use super::calls;
use crate::gate::LimitSpec;
use crate::metric::{Measured, Metric, Need};
use crate::plan::Plan;
use crate::target::Ability;

/// A limit that applies unless the scenario has a gate on the metric.
struct Implied {
    /// The metric's key.
    metric: &'static str,
    /// The limit in this drill; `None` if it would say nothing here.
    limit: fn(&Plan, &Measured<'_>) -> Option<String>,
}

/// Every one of them, one line each.
static IMPLIED: [Implied; 6] = [
    Implied { metric: "fallback.unprovoked", limit: unprovoked },
    Implied { metric: "calls.longest", limit: calls::limit },
    Implied { metric: "breaker.probes-at-once", limit: probes_at_once },
    Implied { metric: "connections.attempts", limit: attempts },
    Implied { metric: "app.log-lines", limit: log_lines },
    Implied { metric: "events.told", limit: events },
];

/// The metrics that may be limited although a scenario has no gate on them.
pub fn limited() -> impl Iterator<Item = &'static str> {
    IMPLIED.iter().map(|implied| implied.metric)
}

/// The metrics that are limited in this drill although the scenario has no gate on them.
pub(super) fn implied(plan: &Plan, measured: &Measured<'_>) -> Vec<LimitSpec<Metric>> {
    let given = |metric: &str| plan.scenario.gates.iter().any(|gate| gate.key == metric);
    let measurable = |spec: &LimitSpec<Metric>| match spec.of.row().needs {
        Need::Target(ability) => plan.scenario.has(ability),
        _ => true,
    };
    let limits = IMPLIED.iter().filter(|implied| !given(implied.metric));
    let limits = limits.filter_map(|implied| Some((implied.metric, (implied.limit)(plan, measured)?)));
    limits.filter_map(|(metric, limit)| LimitSpec::parse(metric, &limit).ok()).filter(measurable).collect()
}

/// Shown only if it happened: in all other drills, the line would say nothing.
fn unprovoked(_: &Plan, measured: &Measured<'_>) -> Option<String> {
    measured.fallback.activations.iter().any(|activation| activation.unprovoked).then(|| "= 0".to_owned())
}

fn probes_at_once(plan: &Plan, measured: &Measured<'_>) -> Option<String> {
    let breaker = plan.scenario.store.breaker.clone().unwrap_or_default();
    (!measured.store.breaker.is_empty()).then(|| format!("<= {}", breaker.probes))
}

/// How often a second a store may do something that only needs doing when its state changes. A sound one stays far below
/// this even if it is cut off several times a second; one that does it for every call, or without a pause, is far above.
const OFTEN: u64 = 100;

/// A store has few connections; other targets have one per lane.
fn attempts(plan: &Plan, measured: &Measured<'_>) -> Option<String> {
    let is_store = plan.scenario.has(Ability::Deadline);
    let counted =
        measured.resources.iter().any(|sample| sample.connection_attempts.or(sample.connections_accepted).is_some());
    often(plan, is_store && counted)
}

fn log_lines(plan: &Plan, measured: &Measured<'_>) -> Option<String> {
    often(plan, measured.resources.iter().any(|sample| sample.log_lines.is_some()))
}

fn events(plan: &Plan, measured: &Measured<'_>) -> Option<String> {
    often(plan, measured.store.told > 0)
}

fn often(plan: &Plan, applies: bool) -> Option<String> {
    (applies && !plan.faults.is_empty()).then(|| format!("<= {OFTEN}/s"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Measurable as _;

    #[test]
    fn every_implied_limit_is_on_a_metric() {
        for implied in &IMPLIED {
            assert!(Metric::parse(implied.metric).is_some(), "{}", implied.metric);
        }
    }
}
