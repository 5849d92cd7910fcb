//! Compares gates with the measurements. A gate without a measurement does not pass: it is unknown, and the drill
//! inconclusive. A failed gate is also unknown if the machine explains the excess, or if a fault that the gate is about
//! never took effect.

use firedrill_reports::run::{Activation, Fallback, Fault, Gate, GateVerdict, Generator, Unit};
use firedrill_reports::text;

use super::calls::Calls;
use super::windows::Course;
use crate::gate::{Dimension, LimitSpec, Measurable};
use crate::measure::{Excuse, Load, LoadOp, Stretch, recovery};
use crate::metric::{Actual, Basis, Measured, Metric, Missing};
use crate::plan::Plan;

const MILLI: f64 = 1e6;

/// The most stall-explained activations that are weighed one by one.
const MOST_EXPLAINED: usize = 100;

/// What gates are compared with.
pub(super) struct Bench<'a> {
    /// The measurements.
    pub(super) measured: Measured<'a>,
    pub(super) course: &'a Course,
    pub(super) load: &'a Load<'a>,
    pub(super) calls: &'a Calls,
    pub(super) excuse: &'a Excuse,
    pub(super) faults: &'a [Fault],
}

/// The figures minus what the machine's stalls explain.
struct Excused {
    stretches: Vec<Stretch>,
    recovery: Option<f64>,
    longest_call: Option<f64>,
    /// Nobody knows how many of the stall-explained activations would have happened anyway, so there is one entry for
    /// none of them, one for the first, and so on up to all.
    fallbacks: Vec<Fallback>,
}

impl Bench<'_> {
    /// Judges every gate of the plan, and the `implied` gates.
    pub(super) fn judge(&self, plan: &Plan, generator: &Generator, implied: &[LimitSpec<Metric>]) -> Vec<Gate> {
        let written: Vec<LimitSpec<Metric>> = plan.scenario.gates.iter().cloned().collect();
        let judged = |gate: &LimitSpec<Metric>| (judge_one(gate, gate.of.actual(&self.measured)), gate.clone());
        let mut gates: Vec<(Gate, LimitSpec<Metric>)> = written.iter().map(judged).collect();
        gates.extend(implied.iter().map(judged).map(|(gate, spec)| (Gate { implied: true, ..gate }, spec)));
        let fails = |(gate, spec): &(Gate, LimitSpec<Metric>)| {
            gate.verdict == GateVerdict::Fail && spec.of.row().basis == Basis::Time
        };
        let excused = (!self.excuse.is_empty() && gates.iter().any(fails)).then(|| self.excused());
        gates.into_iter().map(|pair| self.weighed(pair, generator, excused.as_ref())).collect()
    }

    /// The operations minus what stalls explain.
    pub(super) fn excused_ops(&self) -> impl Iterator<Item = LoadOp> + '_ {
        self.load.ops().filter_map(|op| self.excuse.without(op))
    }

    fn excused(&self) -> Excused {
        let measured = self.course.cut.measure(self.excused_ops()).into_iter();
        let stretches =
            measured.zip(self.measured.stretches).map(|(stretch, seen)| stretch.at_the_rates_of(seen, self.excuse));
        let stretches = stretches.collect();
        let end = self.course.disturbed.map(|(_, end)| end);
        let recovered = end.and_then(|end| recovery(self.excused_ops(), end, self.course.load_end, &self.course.rule));
        let fallback = self.measured.fallback;
        let (perhaps, certain): (Vec<Activation>, Vec<Activation>) =
            fallback.activations.iter().cloned().partition(|activation| self.excuse.explains_activation(activation));
        let with = |number: usize| {
            let mut activations = [&certain[..], &perhaps[..number]].concat();
            activations.sort_by(|a, b| a.started_ms.total_cmp(&b.started_ms));
            Fallback { activations, ..fallback.clone() }
        };
        let fallbacks = (0..=perhaps.len().min(MOST_EXPLAINED)).map(with).collect();
        let longest_call = self.calls.longest(self.excused_ops());
        Excused { stretches, recovery: self.course.recovery_seconds(recovered), longest_call, fallbacks }
    }

    /// The verdict on a failed gate: failed, or unknown if something explains it.
    fn weighed(
        &self,
        (gate, spec): (Gate, LimitSpec<Metric>),
        generator: &Generator,
        excused: Option<&Excused>,
    ) -> Gate {
        if gate.verdict != GateVerdict::Fail {
            return self.with_remark(gate, &spec);
        }
        let unknown = |gate: Gate, note: String| Gate { verdict: GateVerdict::Unknown, ..gate }.with_note(note);
        let never_bit = self.faults.iter().find(|fault| !fault.bit);
        if let Some(fault) = never_bit.filter(|_| spec.of.is_about_faults() || spec.limit.demands()) {
            return unknown(gate, format!("fault {} ({}) never bit", fault.index, fault.kind));
        }
        if spec.of.row().basis == Basis::Time {
            if generator.saturated {
                return unknown(gate, "the generator was saturated".to_owned());
            }
            if let Some(excused) = excused {
                let without = |fallback| {
                    let &Excused { recovery, longest_call, .. } = excused;
                    let stretches = &excused.stretches[..];
                    let measured = Measured { stretches, recovery, longest_call, fallback, ..self.measured };
                    judge_one(&spec, spec.of.actual(&measured))
                };
                let held = excused.fallbacks.iter().map(without).find(|gate| gate.verdict != GateVerdict::Fail);
                if let Some(without) = held {
                    let stood = text::millis(self.excuse.denied(0, self.course.load_end) as f64 / MILLI);
                    let rest = without.actual_text;
                    return unknown(gate, format!("the machine stalled for {stood}; without that: {rest}"));
                }
            }
        }
        self.with_remark(gate, &spec)
    }

    /// Adds a note to a closed loop's quantile about what the quantile leaves out.
    fn with_remark(&self, gate: Gate, spec: &LimitSpec<Metric>) -> Gate {
        let plain = spec.of.row().key == "PHASE.QUANTILE" && gate.note.is_empty();
        let closed = self.course.cut.intervals.iter().any(Option::is_some);
        let corrected = Metric::parse(&corrected_key(&gate.name)).filter(|_| plain && closed);
        match corrected.map(|metric| metric.actual(&self.measured)) {
            Some(Actual::Value(seconds)) => {
                let corrected = text::millis(seconds * 1e3);
                gate.with_note(format!("closed loop: {corrected} including what users did not send while they waited"))
            }
            _ => gate,
        }
    }
}

/// Turns `all.read.p99` into `all.read.corrected.p99`.
fn corrected_key(key: &str) -> String {
    key.rsplit_once('.').map_or_else(String::new, |(scope, figure)| format!("{scope}.corrected.{figure}"))
}

fn judge_one(gate: &LimitSpec<Metric>, actual: Actual) -> Gate {
    let (value, verdict, note) = match actual {
        Actual::Value(value) if gate.limit.holds(value) => (Some(value), GateVerdict::Pass, ""),
        Actual::Value(value) => (Some(value), GateVerdict::Fail, ""),
        Actual::Missing(Missing::Never(note)) => (None, GateVerdict::Fail, note),
        Actual::Missing(Missing::Unknown(note)) => (None, GateVerdict::Unknown, note),
    };
    let (unit, scale) = match gate.of.dimension() {
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
        judge_one(&LimitSpec::parse(key, limit).unwrap(), actual).verdict
    }

    #[test]
    fn a_gate_passes_within_its_limit_and_fails_beyond_it() {
        assert_eq!(verdict("during.errors", "<= 1%", Actual::Value(0.01)), GateVerdict::Pass);
        assert_eq!(verdict("during.errors", "<= 1%", Actual::Value(0.011)), GateVerdict::Fail);
    }

    #[test]
    fn what_was_not_measured_is_unknown_and_a_recovery_that_never_came_has_failed() {
        let unknown = Actual::Missing(Missing::Unknown(""));
        assert_eq!(verdict("after.read.p95", "<= 50ms", unknown), GateVerdict::Unknown);
        assert_eq!(verdict("recovery", "<= 3s", Actual::Missing(Missing::Never(""))), GateVerdict::Fail);
    }

    #[test]
    fn times_are_reported_in_milliseconds() {
        let gate = judge_one(&LimitSpec::parse("recovery", "<= 3s").unwrap(), Actual::Value(1.25));
        assert_eq!(gate.actual, Some(1250.0));
        assert_eq!(gate.limit, "<= 3s");
    }

    #[test]
    fn the_corrected_metric_of_a_quantile_has_the_same_scope() {
        assert_eq!(corrected_key("all.p99"), "all.corrected.p99");
        assert_eq!(corrected_key("load.small.read.p95"), "load.small.read.corrected.p95");
        assert!(Metric::parse(&corrected_key("during.append.max")).is_some());
    }
}
