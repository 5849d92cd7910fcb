//! The measurements of a drill that metrics read.

use firedrill_reports::run::{Check, Fallback, Gate, GateVerdict, Outcome, ResourceSample, StoreEvents};
use hdrhistogram::Histogram;

use super::{Figure, Subject};
use crate::history::OpKind;
use crate::measure::{Latencies, Stretch};

/// The measurements of a drill.
#[derive(Clone, Copy)]
pub struct Measured<'a> {
    /// The stretches of the load.
    pub stretches: &'a [Stretch],
    /// Whether the scenario has faults or deploys.
    pub faults_planned: bool,
    /// Whether any of them took hold.
    pub fault_took_hold: bool,
    /// Seconds from the end of the last fault until the steady state was restored.
    pub recovery: Option<f64>,
    /// What the store's fallback did.
    pub fallback: &'a Fallback,
    /// What the store itself did.
    pub store: &'a StoreEvents,
    /// Samples of memory, CPU and the connection.
    pub resources: &'a [ResourceSample],
    /// Sessions in Redis at the end of the load.
    pub active: Option<u64>,
    /// Sessions in the store's memory at that time.
    pub held: Option<u64>,
    /// The scenario's claims, measured.
    pub claims: &'a [Gate],
    /// The checkers' answers.
    pub checks: &'a [Check],
    /// Keys that Redis evicted during the load.
    pub evicted: Option<u64>,
    /// KEYS calls during the load.
    pub keys_commands: Option<u64>,
    /// Connections that took an impostor for Redis.
    pub trusted: Option<u64>,
}

impl Measured<'_> {
    fn stretch(&self, subject: &Subject) -> Option<&Stretch> {
        self.stretches.iter().find(|stretch| stretch.layout.scope == subject.scope)
    }

    /// The share of the subject's operations that ended as `wanted`.
    pub(super) fn share(&self, subject: &Subject, wanted: impl Fn(Outcome) -> bool) -> Option<f64> {
        let latencies = &self.stretch(subject)?.latencies;
        let total = latencies.count(|kind, _| subject.takes(kind));
        let found = latencies.count(|kind, outcome| subject.takes(kind) && wanted(outcome));
        (total > 0).then(|| found as f64 / total as f64)
    }

    /// The subject's operations acknowledged within the stretch, per second.
    pub(super) fn rate(&self, subject: &Subject) -> Option<f64> {
        self.stretch(subject)?.rate(|kind| subject.takes(kind))
    }

    /// The subject's figure of a latency, in seconds.
    pub(super) fn latency(&self, subject: &Subject, of: impl Fn(Latencies) -> Histogram<u64>) -> Option<f64> {
        subject.figure_of(&of(self.stretch(subject)?.latencies.sum(|kind, _| subject.takes(kind))))
    }

    /// The subject's figure of response times, corrected for what users of a closed loop did not send, in seconds.
    pub(super) fn corrected(&self, subject: &Subject) -> Option<f64> {
        match self.stretch(subject)?.corrected(|kind| subject.takes(kind)) {
            Some(corrected) => subject.figure_of(&corrected),
            None => self.latency(subject, |latencies| latencies.response),
        }
    }

    /// The largest sample.
    pub(super) fn most(&self, of: impl Fn(&ResourceSample) -> Option<u64>) -> Option<f64> {
        self.resources.iter().filter_map(of).max().map(|most| most as f64)
    }

    /// CPU time between the samples, as a share of one core; `None` without two samples of one process.
    pub(super) fn cpu(&self, of: impl Fn(&ResourceSample) -> Option<u64>) -> Option<f64> {
        let (mut used, mut wall) = (0.0, 0.0);
        for pair in self.resources.windows(2) {
            // A count that has fallen is that of a process that was started in between.
            let took = of(&pair[0]).zip(of(&pair[1])).and_then(|(before, after)| after.checked_sub(before));
            if let Some(took) = took {
                used += took as f64;
                wall += pair[1].at_ms - pair[0].at_ms;
            }
        }
        (wall > 0.0).then(|| used / wall)
    }

    /// How many claims did not hold; `None` if none was refuted and some could not be measured.
    pub(super) fn refuted(&self) -> Option<f64> {
        let count = |verdict| self.claims.iter().filter(|claim| claim.verdict == verdict).count();
        let refuted = count(GateVerdict::Fail);
        (refuted > 0 || count(GateVerdict::Unknown) == 0).then_some(refuted as f64)
    }

    /// How often the subject's checker found its promise broken; `None` if the checker does not apply.
    pub(super) fn offences(&self, subject: &Subject) -> Option<f64> {
        self.checks.iter().find(|check| check.name == subject.checker).map(|check| check.offences as f64)
    }
}

impl Subject {
    /// Whether it covers operations of this kind.
    fn takes(&self, kind: OpKind) -> bool {
        self.op.is_none_or(|op| op == kind)
    }

    /// Its figure from a histogram of nanoseconds, in seconds; `None` if the histogram is empty.
    fn figure_of(&self, histogram: &Histogram<u64>) -> Option<f64> {
        let nanos = match self.figure {
            _ if histogram.is_empty() => return None,
            Figure::Mean => histogram.mean(),
            Figure::Max => histogram.max() as f64,
            Figure::Quantile(quantile) => histogram.value_at_quantile(quantile) as f64,
        };
        Some(nanos / 1e9)
    }
}
