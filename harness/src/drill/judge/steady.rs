//! Limits that apply without being in the scenario: outside the faults, the target must be as steady as the scenario
//! says unless a gate sets another limit. [`implied`](super::implied) has the other limits of this kind.

use firedrill_reports::run::{Gate, GateVerdict, PhaseName, Unit};
use firedrill_reports::text;

use super::gates::Bench;
use crate::gate::LimitSpec;
use crate::metric::{Metric, Scope};
use crate::plan::Plan;

/// The steady state as gates: before the faults, and after them if the target did not recover.
pub(super) fn gates(plan: &Plan, bench: &Bench<'_>) -> Vec<Gate> {
    [PhaseName::Before, PhaseName::After].into_iter().filter_map(|phase| gate(plan, bench, phase)).collect()
}

fn gate(plan: &Plan, bench: &Bench<'_>, phase: PhaseName) -> Option<Gate> {
    let limited = |gate: &LimitSpec<Metric>| {
        let row = gate.of.row().key;
        let here = matches!(&gate.of.subject().scope, Scope::All) || gate.of.subject().scope == Scope::Phase(phase);
        let by_share = ["PHASE.errors", "PHASE.degraded", "PHASE.missing"].contains(&row) && here;
        by_share || (row == "recovery" && phase == PhaseName::After)
    };
    if plan.scenario.gates.iter().any(limited) {
        return None;
    }
    let steady = &plan.scenario.steady;
    let (name, limit) = (format!("{}.steady", phase.name()), format!("<= {} not ok", steady.errors));
    let share_of = |stretch: &crate::measure::Stretch| {
        let outcomes = stretch.outcomes();
        // What an outage lost stays missing afterwards; `PHASE.missing` and the checkers judge that.
        let lost = if phase == PhaseName::After { outcomes.missing } else { 0 };
        (outcomes.total() > 0).then(|| (outcomes.not_ok() - lost) as f64 / outcomes.total() as f64)
    };
    let implied = |gate: Gate| Some(Gate { implied: true, ..gate });
    if phase == PhaseName::After && bench.course.disturbed.is_some() && bench.course.recovered.is_none() {
        let (_, end) = bench.course.disturbed?;
        let verdict = match bench.course.load_end - end >= bench.course.rule.window {
            true => GateVerdict::Fail,
            false => GateVerdict::Unknown,
        };
        let gate = Gate::new(name, limit, Unit::Share, None, verdict);
        return implied(gate.with_note("the target was not steady again before the load ended"));
    }
    let scope = Scope::Phase(phase);
    let stretch = bench.measured.stretches.iter().find(|stretch| stretch.layout.scope == scope)?;
    let share = share_of(stretch)?;
    let mut gate = Gate::new(&name, &limit, Unit::Share, Some(share), GateVerdict::Pass).with_note("the steady state");
    if share > steady.errors.0 {
        let excused = bench.course.cut.measure(bench.excused_ops());
        let without = excused.iter().find(|stretch| stretch.layout.scope == scope).and_then(share_of);
        gate.verdict = GateVerdict::Fail;
        if without.is_none_or(|share| share <= steady.errors.0) {
            gate.verdict = GateVerdict::Unknown;
            let rest = without.map_or_else(|| "nothing".to_owned(), text::percent);
            gate.note = format!("the machine stalled; without that: {rest}");
        }
    }
    implied(gate)
}
