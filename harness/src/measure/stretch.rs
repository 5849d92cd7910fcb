//! The figures of each stretch of the load. An operation belongs to the stretch in which it was planned: if it was due
//! in an outage and answered after it, it counts for the outage. An operation in flight when the fault began counts for
//! the fault too: its outcome is the fault's doing. Rates follow the clock: they count what was acknowledged within a
//! stretch.

use firedrill_reports::run::{Curve, Figures, OpStats, Outcome, OutcomeCounts, Phase, PhaseName, Quantiles};
use hdrhistogram::Histogram;

use super::excuse::Excuse;
use super::latency::{OpLatencies, new_histogram};
use super::ops::LoadOp;
use super::{MS_PER_NANO, ms};
use crate::clock::Nanos;
use crate::history::OpKind;

/// A part of the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The whole load.
    All,
    /// A phase.
    Phase(PhaseName),
    /// The time in which the fault of this name was active.
    Fault(String),
    /// The load block of this name, in one phase or overall.
    Load(String, Option<PhaseName>),
}

impl Scope {
    /// Its name in gates.
    pub fn name(&self) -> String {
        match self {
            Scope::All => "all".to_owned(),
            Scope::Phase(phase) => phase.name().to_owned(),
            Scope::Fault(name) => format!("fault.{name}"),
            Scope::Load(name, None) => format!("load.{name}"),
            Scope::Load(name, Some(phase)) => format!("load.{name}.{}", phase.name()),
        }
    }
}

/// The period of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The phase.
    pub phase: PhaseName,
    /// Its start.
    pub from: Nanos,
    /// Its end, exclusive.
    pub to: Nanos,
}

/// When a stretch is, and which operations belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The part of the load.
    pub scope: Scope,
    /// Start and end (exclusive) of each period; disjoint, in order of time.
    pub windows: Vec<(Nanos, Nanos)>,
    /// If set, only operations of this load block.
    pub block: Option<usize>,
}

/// The figures of a stretch.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// When it is, and what belongs to it.
    pub layout: Layout,
    /// Latencies of its operations.
    pub latencies: OpLatencies,
    /// Response times by kind, corrected for what users of a closed loop did not send; empty if none waited.
    corrected: [Option<Box<Histogram<u64>>>; OpKind::COUNT],
    /// Operations acknowledged within it, by the clock and by kind.
    acknowledged: [u64; OpKind::COUNT],
    /// The time that stalls took from it.
    denied: Nanos,
}

/// How to divide a load into stretches.
#[derive(Debug, Clone, Default)]
pub struct Cut {
    /// The stretches.
    pub layouts: Vec<Layout>,
    /// When the first fault began: operations in flight then belong to the phase that begins there.
    pub onset: Option<Nanos>,
    /// Per load block, how often a user of a closed loop sends, in nanoseconds; `None` for an open loop.
    pub intervals: Vec<Option<Nanos>>,
}

impl Cut {
    /// Measures every stretch, in layout order.
    pub fn measure(&self, ops: impl Iterator<Item = LoadOp>) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = self.layouts.iter().cloned().map(Stretch::empty).collect();
        let closed = self.intervals.iter().any(Option::is_some);
        for op in ops {
            let interval = self.intervals.get(op.block).copied().flatten();
            for stretch in &mut stretches {
                if stretch.layout.block.is_some_and(|block| block != op.block) {
                    continue;
                }
                if stretch.layout.takes(&op, self.onset) {
                    stretch.record(&op, closed, interval);
                }
                let ended_within = |(from, to): &(Nanos, Nanos)| (*from..*to).contains(&op.ended);
                if op.outcome.acknowledged() && stretch.layout.windows.iter().any(ended_within) {
                    stretch.acknowledged[op.kind as usize] += 1;
                }
            }
        }
        stretches
    }
}

impl Layout {
    /// Whether an operation belongs to the stretch.
    pub(super) fn takes(&self, op: &LoadOp, onset: Option<Nanos>) -> bool {
        let within = |instant: Nanos| self.windows.iter().any(|(from, to)| (*from..*to).contains(&instant));
        match &self.scope {
            Scope::All | Scope::Load(_, None) => true,
            Scope::Phase(_) | Scope::Load(_, Some(_)) => {
                let caught = onset.filter(|onset| op.planned < *onset && op.ended > *onset);
                within(caught.unwrap_or(op.planned))
            }
            Scope::Fault(_) => {
                let caught = |(from, _): &(Nanos, Nanos)| op.planned < *from && op.ended > *from;
                within(op.planned) || self.windows.iter().any(caught)
            }
        }
    }
}

impl Stretch {
    fn empty(layout: Layout) -> Self {
        Self {
            layout,
            latencies: OpLatencies::default(),
            corrected: [const { None }; OpKind::COUNT],
            acknowledged: [0; OpKind::COUNT],
            denied: 0,
        }
    }

    /// This stretch with the rates of `seen`, the stretch as observed, over the time that `excuse` leaves of it: nobody
    /// knows when an answer would have come without a stall, only how long answers could come.
    pub fn at_the_rates_of(self, seen: &Stretch, excuse: &Excuse) -> Self {
        let denied = self.layout.windows.iter().map(|(from, to)| excuse.denied(*from, *to)).sum();
        Self { acknowledged: seen.acknowledged, denied, ..self }
    }

    fn record(&mut self, op: &LoadOp, closed: bool, interval: Option<Nanos>) {
        self.latencies.record(op.kind, op.outcome, op.planned, op.started, op.ended);
        if closed {
            let corrected = self.corrected[op.kind as usize].get_or_insert_with(|| Box::new(new_histogram()));
            let response = (op.ended - op.planned).max(0) as u64;
            corrected.saturating_record(response);
            // Like HdrHistogram's recordValueWithExpectedInterval: each interval within the wait stands for one
            // operation that was not sent and would have waited that much less.
            let interval = interval.map_or(0, |interval| interval.max(0) as u64);
            let mut unsent = response.saturating_sub(interval);
            while interval > 0 && unsent >= interval {
                corrected.saturating_record(unsent);
                unsent -= interval;
            }
        }
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.layout.windows.iter().map(|(from, to)| (to - from) as f64 / 1e9).sum()
    }

    /// The number of its operations.
    pub fn count(&self) -> u64 {
        self.latencies.count(|_, _| true)
    }

    /// The outcomes of its operations.
    pub fn outcomes(&self) -> OutcomeCounts {
        let mut outcomes = OutcomeCounts::default();
        self.latencies.iter().for_each(|(_, outcome, part)| outcomes.add(outcome, part.count()));
        outcomes
    }

    /// Operations of the `wanted` kinds acknowledged within it by the clock, per second; `None` if it has no length.
    pub fn rate(&self, wanted: impl Fn(OpKind) -> bool) -> Option<f64> {
        let acknowledged: u64 =
            OpKind::ALL.into_iter().filter(|kind| wanted(*kind)).map(|kind| self.acknowledged[kind as usize]).sum();
        let seconds = self.seconds() - self.denied as f64 / 1e9;
        (seconds > 0.0).then(|| acknowledged as f64 / seconds)
    }

    /// Response times of all its operations, in nanoseconds, whatever their outcome.
    pub fn response(&self) -> Histogram<u64> {
        self.latencies.sum(|_, _| true).response
    }

    /// Response times of the `wanted` kinds, corrected for what users of a closed loop did not send while they waited;
    /// `None` if the load has no closed loop.
    pub fn corrected(&self, wanted: impl Fn(OpKind) -> bool) -> Option<Histogram<u64>> {
        let parts = OpKind::ALL.into_iter().filter(|kind| wanted(*kind));
        let parts = parts.filter_map(|kind| self.corrected[kind as usize].as_deref());
        parts.fold(None, |sum: Option<Histogram<u64>>, part| {
            let mut sum = sum.unwrap_or_else(new_histogram);
            sum += part;
            Some(sum)
        })
    }

    /// The figures that `run.json` has for every stretch.
    pub fn figures(&self) -> Figures {
        let outcomes = self.outcomes();
        let (from, to) = (self.layout.windows.first(), self.layout.windows.last());
        Figures {
            from_ms: from.map_or(0.0, |window| ms(window.0)),
            to_ms: to.map_or(0.0, |window| ms(window.1)),
            ops: outcomes.total(),
            rate: self.rate(|_| true).unwrap_or(0.0),
            error_rate: outcomes.error_rate(),
            outcomes,
            response: Quantiles::of(&self.response(), MS_PER_NANO),
            corrected: self.corrected(|_| true).and_then(|all| Quantiles::of(&all, MS_PER_NANO)),
        }
    }

    /// The stretch as the phase `name` in `run.json`, without its batches.
    pub fn phase(&self, name: PhaseName) -> Phase {
        let operations = self.latencies.iter().filter_map(|(kind, outcome, latencies)| {
            Some(OpStats {
                op: kind.name().to_owned(),
                outcome,
                count: latencies.count(),
                service: Quantiles::of(&latencies.service, MS_PER_NANO)?,
                slip: Quantiles::of(&latencies.slip, MS_PER_NANO)?,
                response: Quantiles::of(&latencies.response, MS_PER_NANO)?,
            })
        });
        Phase { name, figures: self.figures(), operations: operations.collect(), batches: Vec::new() }
    }

    /// The response time curve of all its operations, then one curve per kind.
    pub fn curves(&self, name: PhaseName) -> Vec<Curve> {
        let all = Curve::of(name, None, &self.response(), MS_PER_NANO);
        let each = OpKind::ALL.into_iter().filter_map(|kind| {
            let of_kind = self.latencies.sum(|other, _: Outcome| other == kind);
            Curve::of(name, Some(kind.name()), &of_kind.response, MS_PER_NANO)
        });
        all.into_iter().chain(each).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{MS, load_op};
    use super::*;

    fn cut(layouts: Vec<Layout>) -> Cut {
        Cut { layouts, onset: Some(100 * MS), intervals: vec![None] }
    }

    fn layout(scope: Scope, windows: &[(Nanos, Nanos)]) -> Layout {
        Layout { scope, windows: windows.iter().map(|(from, to)| (from * MS, to * MS)).collect(), block: None }
    }

    fn phases() -> Cut {
        cut(vec![
            layout(Scope::Phase(PhaseName::Before), &[(0, 100)]),
            layout(Scope::Phase(PhaseName::During), &[(100, 200)]),
        ])
    }

    #[test]
    fn an_operation_belongs_to_the_phase_it_was_planned_in() {
        let slow = LoadOp { started: 250 * MS, ended: 280 * MS, ..load_op(199 * MS, Outcome::Unknown) };
        let ops = [load_op(0, Outcome::Ok), slow, load_op(100 * MS, Outcome::Failed), load_op(200 * MS, Outcome::Ok)];
        let measured = phases().measure(ops.into_iter());
        assert_eq!((measured[0].count(), measured[0].outcomes().errors()), (1, 0));
        assert_eq!((measured[1].count(), measured[1].outcomes().errors()), (2, 2));
        let unknown = measured[1].latencies.get(OpKind::Read, Outcome::Unknown).unwrap();
        let near = |histogram: &Histogram<u64>, expected: Nanos| {
            assert!((histogram.max() as f64 / expected as f64 - 1.0).abs() < 0.001, "{}", histogram.max());
        };
        near(&unknown.slip, 51 * MS);
        near(&unknown.service, 30 * MS);
        near(&unknown.response, 81 * MS);
    }

    #[test]
    fn an_operation_that_was_under_way_when_the_fault_began_counts_for_the_fault() {
        let caught = LoadOp { ended: 101 * MS, ..load_op(90 * MS, Outcome::Failed) };
        let done = LoadOp { ended: 100 * MS, ..load_op(90 * MS, Outcome::Ok) };
        let measured = phases().measure([caught, done].into_iter());
        assert_eq!((measured[0].count(), measured[1].count()), (1, 1));
    }

    #[test]
    fn a_rate_counts_what_was_acknowledged_within_the_window_whenever_it_was_planned() {
        let late = LoadOp { ended: 250 * MS, ..load_op(110 * MS, Outcome::Ok) };
        let drained = LoadOp { ended: 120 * MS, ..load_op(10 * MS, Outcome::Degraded) };
        let failed = LoadOp { ended: 120 * MS, ..load_op(110 * MS, Outcome::Failed) };
        let during = &phases().measure([late, drained, failed].into_iter())[1];
        assert_eq!(during.rate(|_| true), Some(10.0));
        assert_eq!(during.rate(|kind| kind == OpKind::Append), Some(0.0));
    }

    #[test]
    fn a_fault_has_the_operations_of_all_its_occurrences_and_a_block_has_its_own() {
        let fault = layout(Scope::Fault("flap".to_owned()), &[(100, 200), (300, 400)]);
        let block = Layout { block: Some(1), ..layout(Scope::Load("large".to_owned(), None), &[(0, 500)]) };
        let of_block = |block, at: Nanos| LoadOp { block, ..load_op(at * MS, Outcome::Ok) };
        let ops = [of_block(0, 150), of_block(1, 250), of_block(0, 350), of_block(1, 390)];
        let measured = cut(vec![fault, block]).measure(ops.into_iter());
        assert_eq!(measured.iter().map(Stretch::count).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(measured[0].seconds(), 0.2);
        assert_eq!(measured[0].layout.scope.name(), "fault.flap");
    }

    #[test]
    fn a_stall_of_a_closed_loop_counts_for_what_its_user_did_not_send() {
        let closed = Cut { intervals: vec![Some(10 * MS)], ..cut(vec![layout(Scope::All, &[(0, 5000)])]) };
        let quick = (0..100).map(|n| load_op(n * 10 * MS, Outcome::Ok));
        let stalled = LoadOp { ended: 3000 * MS, ..load_op(1000 * MS, Outcome::Ok) };
        let all = &closed.measure(quick.chain([stalled]))[0];
        let ms = |histogram: &Histogram<u64>| histogram.value_at_quantile(0.9) as f64 / MS as f64;
        assert!(ms(&all.response()) < 2.0);
        // 100 fast ones, and 200 that would have waited from 2 s down to 10 ms.
        let corrected = all.corrected(|_| true).unwrap();
        assert_eq!(corrected.len(), 300);
        assert!((1650.0..1750.0).contains(&ms(&corrected)), "{}", ms(&corrected));
        assert_eq!(phases().measure([load_op(0, Outcome::Ok)].into_iter())[0].corrected(|_| true), None);
    }

    #[test]
    fn a_phase_reports_each_operation_and_outcome_with_its_latencies() {
        let append = LoadOp { kind: OpKind::Append, ..load_op(10 * MS, Outcome::Degraded) };
        let ops = [load_op(0, Outcome::Ok), load_op(50 * MS, Outcome::Missing), append];
        let before = &phases().measure(ops.into_iter())[0];
        let report = before.phase(PhaseName::Before);
        assert_eq!((report.figures.ops, report.figures.rate, report.figures.error_rate), (3, 30.0, 0.0));
        let rows: Vec<_> =
            report.operations.iter().map(|row| (row.op.as_str(), row.outcome.name(), row.count)).collect();
        assert_eq!(rows, [("read", "ok", 1), ("read", "missing", 1), ("append", "degraded", 1)]);
        assert!((report.operations[0].response.p50 - 1.0).abs() < 0.001);
        let curves = before.curves(PhaseName::Before);
        let curves: Vec<_> = curves.iter().map(|curve| (curve.op.clone(), curve.count)).collect();
        assert_eq!(curves, [(None, 3), (Some("read".into()), 2), (Some("append".into()), 1)]);
    }
}
