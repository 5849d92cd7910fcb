//! Holds gates against what was measured. What was not measured is no pass: the gate is unknown, and the drill
//! inconclusive.

use firedrill_reports::run::{Gate, GateVerdict, Unit};

use super::limit::Dimension;
use super::spec::{GateSpec, Metric};

/// What a drill measured of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Actual {
    /// A value in the metric's own unit: seconds, shares from 0 to 1, events per second, plain numbers.
    Value(f64),
    /// What was waited for never came, as said: the gate has failed.
    Never(&'static str),
    /// There was nothing to measure, as said: the gate is unknown.
    Nothing(&'static str),
}

/// Judges every gate by what was `measured` of its metric.
pub fn judge(gates: &[GateSpec], measured: impl Fn(Metric) -> Actual) -> Vec<Gate> {
    gates.iter().map(|gate| judge_one(gate, measured(gate.metric))).collect()
}

fn judge_one(gate: &GateSpec, actual: Actual) -> Gate {
    let (value, verdict, note) = match actual {
        Actual::Value(value) if gate.limit.holds(value) => (Some(value), GateVerdict::Pass, ""),
        Actual::Value(value) => (Some(value), GateVerdict::Fail, ""),
        Actual::Never(note) => (None, GateVerdict::Fail, note),
        Actual::Nothing(note) => (None, GateVerdict::Unknown, note),
    };
    let (unit, scale) = match gate.metric.dimension() {
        Dimension::Time => (Unit::Milliseconds, 1e3),
        Dimension::Share => (Unit::Share, 1.0),
        Dimension::Rate => (Unit::PerSecond, 1.0),
        Dimension::Count => (Unit::Count, 1.0),
        Dimension::Bytes => (Unit::Bytes, 1.0),
    };
    Gate::new(&gate.key, gate.limit.to_string(), unit, value.map(|value| value * scale), verdict).with_note(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(key: &str, limit: &str, actual: Actual) -> GateVerdict {
        judge(&[GateSpec::parse(key, limit).unwrap()], |_| actual)[0].verdict
    }

    #[test]
    fn a_gate_passes_within_its_limit_and_fails_beyond_it() {
        assert_eq!(verdict("during.errors", "<= 1%", Actual::Value(0.01)), GateVerdict::Pass);
        assert_eq!(verdict("during.errors", "<= 1%", Actual::Value(0.011)), GateVerdict::Fail);
    }

    #[test]
    fn what_was_not_measured_is_unknown_and_a_recovery_that_never_came_has_failed() {
        assert_eq!(verdict("after.read.p95", "<= 50ms", Actual::Nothing("")), GateVerdict::Unknown);
        assert_eq!(verdict("recovery", "<= 3s", Actual::Never("")), GateVerdict::Fail);
    }

    #[test]
    fn times_are_reported_in_milliseconds() {
        let gate = &judge(&[GateSpec::parse("recovery", "<= 3s").unwrap()], |_| Actual::Value(1.25))[0];
        assert_eq!(gate.actual, Some(1250.0));
        assert_eq!(gate.limit, "<= 3s");
    }
}
