//! What each phase of a drill measured, computed from the history's operations. An operation belongs to the phase it was
//! planned in: one that was due in an outage and answered after it counts for the outage. So does one that was still
//! under way when the fault began: what became of it is the fault's doing.

use firedrill_reports::run::{Curve, OpStats, Phase, PhaseName, Quantiles};
use hdrhistogram::Histogram;

use super::latency::OpLatencies;
use super::{MS_PER_NANO, ms, reported};
use crate::clock::Nanos;
use crate::history::{OpRecord, Outcome, Step};

/// When a phase was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Which phase.
    pub phase: PhaseName,
    /// Its beginning.
    pub from: Nanos,
    /// Its end; not part of it.
    pub to: Nanos,
}

/// The latencies of the operations planned within a window.
#[derive(Debug, Clone)]
pub struct PhaseMeasure {
    /// When the phase was.
    pub window: Window,
    /// Its operations.
    pub latencies: OpLatencies,
}

impl PhaseMeasure {
    /// Measures every window, in the order given. Only operations of the load itself count.
    pub fn of(ops: &[OpRecord], windows: &[Window]) -> Vec<PhaseMeasure> {
        let mut phases: Vec<_> =
            windows.iter().map(|&window| PhaseMeasure { window, latencies: OpLatencies::default() }).collect();
        let onset = windows.iter().find(|window| window.phase == PhaseName::During).map(|window| window.from);
        for op in ops.iter().filter(|op| op.step == Step::Load) {
            let caught = onset.filter(|onset| op.planned < *onset && op.ended > *onset);
            let instant = caught.unwrap_or(op.planned);
            for phase in &mut phases {
                if (phase.window.from..phase.window.to).contains(&instant) {
                    phase.latencies.record(op.kind, op.outcome, op.planned, op.started, op.ended);
                }
            }
        }
        phases
    }

    /// How many operations were planned within the phase.
    pub fn count(&self) -> u64 {
        self.latencies.count(|_, _| true)
    }

    /// The share of its operations that failed or whose outcome is unknown, in 0..=1; 0 where there were none.
    pub fn error_rate(&self) -> f64 {
        let errors = self.latencies.count(|_, outcome| !outcome.acknowledged());
        errors as f64 / self.count().max(1) as f64
    }

    /// Response times of all its operations, in nanoseconds, whatever their outcome.
    pub fn response(&self) -> Histogram<u64> {
        self.latencies.sum(|_, _| true).response
    }

    /// The phase as `run.json` holds it.
    pub fn report(&self) -> Phase {
        let operations = self.latencies.iter().filter_map(|(kind, outcome, latencies)| {
            Some(OpStats {
                op: kind.name().to_owned(),
                outcome: reported(outcome),
                count: latencies.count(),
                service: Quantiles::of(&latencies.service, MS_PER_NANO)?,
                slip: Quantiles::of(&latencies.slip, MS_PER_NANO)?,
                response: Quantiles::of(&latencies.response, MS_PER_NANO)?,
            })
        });
        let response = Quantiles::of(&self.response(), MS_PER_NANO);
        Phase::new(self.window.phase, ms(self.window.from), ms(self.window.to), response, operations.collect())
    }

    /// The curve of all its operations' response times, then one per kind of operation.
    pub fn curves(&self) -> Vec<Curve> {
        let all = Curve::of(self.window.phase, None, &self.response(), MS_PER_NANO);
        let each = crate::history::OpKind::ALL.into_iter().filter_map(|kind| {
            let of_kind = self.latencies.sum(|other, _: Outcome| other == kind);
            Curve::of(self.window.phase, Some(kind.name()), &of_kind.response, MS_PER_NANO)
        });
        all.into_iter().chain(each).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{MS, op};
    use super::*;
    use crate::history::OpKind;

    fn windows() -> [Window; 2] {
        [
            Window { phase: PhaseName::Before, from: 0, to: 100 * MS },
            Window { phase: PhaseName::During, from: 100 * MS, to: 200 * MS },
        ]
    }

    #[test]
    fn an_operation_belongs_to_the_phase_it_was_planned_in() {
        let mut slow = op(199 * MS, Outcome::Unknown);
        (slow.started, slow.ended) = (250 * MS, 280 * MS);
        let ops = [op(0, Outcome::Ok), slow, op(100 * MS, Outcome::Failed), op(200 * MS, Outcome::Ok)];
        let [before, during] = PhaseMeasure::of(&ops, &windows()).try_into().unwrap();
        assert_eq!((before.count(), before.error_rate()), (1, 0.0));
        assert_eq!((during.count(), during.error_rate()), (2, 1.0));
        let unknown = during.latencies.get(OpKind::Read, Outcome::Unknown).unwrap();
        let near = |histogram: &Histogram<u64>, expected: Nanos| {
            assert!(
                (histogram.max() as f64 / expected as f64 - 1.0).abs() < 0.001,
                "{} not {expected}",
                histogram.max()
            );
        };
        near(&unknown.slip, 51 * MS);
        near(&unknown.service, 30 * MS);
        near(&unknown.response, 81 * MS);
    }

    #[test]
    fn an_operation_that_was_under_way_when_the_fault_began_counts_for_the_fault() {
        let mut caught = op(90 * MS, Outcome::Failed);
        caught.ended = 101 * MS;
        let mut done = op(90 * MS, Outcome::Ok);
        done.ended = 100 * MS;
        let [before, during] = PhaseMeasure::of(&[caught, done], &windows()).try_into().unwrap();
        assert_eq!((before.count(), before.error_rate()), (1, 0.0));
        assert_eq!((during.count(), during.error_rate()), (1, 1.0));
    }

    #[test]
    fn only_the_load_counts() {
        let mut preload = op(10 * MS, Outcome::Ok);
        preload.step = Step::Preload;
        assert_eq!(PhaseMeasure::of(&[preload], &windows())[0].count(), 0);
    }

    #[test]
    fn a_phase_reports_each_operation_and_outcome_with_its_latencies() {
        let mut append = op(10 * MS, Outcome::Degraded);
        append.kind = OpKind::Append;
        let ops = [op(0, Outcome::Ok), op(50 * MS, Outcome::Ok), append];
        let phase = &PhaseMeasure::of(&ops, &windows())[0];
        let report = phase.report();
        assert_eq!((report.name, report.ops, report.rate, report.error_rate), (PhaseName::Before, 3, 30.0, 0.0));
        let rows: Vec<_> =
            report.operations.iter().map(|row| (row.op.as_str(), row.outcome.name(), row.count)).collect();
        assert_eq!(rows, [("read", "ok", 2), ("append", "degraded", 1)]);
        assert!((report.operations[0].response.p50 - 1.0).abs() < 0.001);
        let curves: Vec<_> = phase.curves().iter().map(|curve| (curve.op.clone(), curve.count)).collect();
        assert_eq!(curves, [(None, 3), (Some("read".into()), 2), (Some("append".into()), 1)]);
    }
}
