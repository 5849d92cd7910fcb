//! Holds gates against what was measured. What was not measured is no pass: the gate is unknown, and the drill
//! inconclusive.

use firedrill_reports::run::{Gate, GateVerdict, Unit};

use super::limit::Dimension;
use super::spec::{GateSpec, Metric};

/// Judges every gate. `measured` gives a metric's value in its dimension's own unit (seconds, shares from 0 to 1, events
/// per second, plain numbers), or `None` where there was nothing to measure.
pub fn judge(gates: &[GateSpec], measured: impl Fn(Metric) -> Option<f64>) -> Vec<Gate> {
    gates.iter().map(|gate| judge_one(gate, measured(gate.metric))).collect()
}

fn judge_one(gate: &GateSpec, actual: Option<f64>) -> Gate {
    let verdict = match actual {
        Some(actual) if gate.limit.holds(actual) => GateVerdict::Pass,
        Some(_) => GateVerdict::Fail,
        None if gate.metric == Metric::Recovery => GateVerdict::Fail,
        None => GateVerdict::Unknown,
    };
    let (unit, scale) = match gate.metric.dimension() {
        Dimension::Time => (Unit::Milliseconds, 1e3),
        Dimension::Share => (Unit::Share, 1.0),
        Dimension::Rate => (Unit::PerSecond, 1.0),
        Dimension::Count => (Unit::Count, 1.0),
    };
    let judged = Gate::new(&gate.key, gate.limit.to_string(), unit, actual.map(|value| value * scale), verdict);
    match (actual, gate.metric) {
        (None, Metric::Recovery) => judged.with_note("the steady state did not return before the load ended"),
        (None, _) => judged.with_note("no operation fell into this phase"),
        _ => judged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(key: &str, limit: &str, actual: Option<f64>) -> GateVerdict {
        judge(&[GateSpec::parse(key, limit).unwrap()], |_| actual)[0].verdict
    }

    #[test]
    fn a_gate_passes_within_its_limit_and_fails_beyond_it() {
        assert_eq!(verdict("during.errors", "<= 1%", Some(0.01)), GateVerdict::Pass);
        assert_eq!(verdict("during.errors", "<= 1%", Some(0.011)), GateVerdict::Fail);
    }

    #[test]
    fn what_was_not_measured_is_unknown_and_a_recovery_that_never_came_has_failed() {
        assert_eq!(verdict("after.read.p95", "<= 50ms", None), GateVerdict::Unknown);
        assert_eq!(verdict("recovery", "<= 3s", None), GateVerdict::Fail);
    }

    #[test]
    fn times_are_reported_in_milliseconds() {
        let gate = &judge(&[GateSpec::parse("recovery", "<= 3s").unwrap()], |_| Some(1.25))[0];
        assert_eq!(gate.actual, Some(1250.0));
        assert_eq!(gate.limit, "<= 3s");
    }
}
