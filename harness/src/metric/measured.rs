//! The measurements of a drill that metrics read.

use firedrill_reports::run::{Check, Fallback, Gate, GateVerdict, Outcome, ResourceSample, StoreEvents};
use hdrhistogram::Histogram;

use super::{Figure, Subject};
use crate::history::OpKind;
use crate::measure::{Latencies, Stretch};

/// In milliseconds.
const SECOND: f64 = 1e3;

/// Fewer samples do not make a line.
const FEWEST: usize = 4;

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
    /// Seconds that the longest operation took of those that `store.timeout` covers.
    pub longest_call: Option<f64>,
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

    /// The slope of the straight line through all samples of resident memory (least squares), in bytes per minute; 0 if
    /// it falls, `None` for too few samples.
    pub(super) fn memory_growth(&self) -> Option<f64> {
        let minutes = |sample: &ResourceSample| sample.at_ms / (60.0 * SECOND);
        let samples =
            self.resources.iter().filter_map(|sample| Some((minutes(sample), sample.process_rss_bytes? as f64)));
        let samples: Vec<(f64, f64)> = samples.collect();
        let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
        let (at, bytes) = (mean(|sample| sample.0), mean(|sample| sample.1));
        let spread: f64 = samples.iter().map(|sample| (sample.0 - at).powi(2)).sum();
        let common: f64 = samples.iter().map(|sample| (sample.0 - at) * (sample.1 - bytes)).sum();
        (samples.len() >= FEWEST && spread > 0.0).then(|| (common / spread).max(0.0))
    }

    /// The fastest growth of a counter per second, over a second or a little more; `None` without two such samples of
    /// one process.
    pub(super) fn busiest(&self, of: impl Fn(&ResourceSample) -> Option<u64>) -> Option<f64> {
        let counts: Vec<(f64, u64)> =
            self.resources.iter().filter_map(|sample| Some((sample.at_ms, of(sample)?))).collect();
        let rates = counts.iter().enumerate().filter_map(|(first, (from, before))| {
            let (to, after) = counts[first..].iter().find(|(to, _)| to - from >= SECOND)?;
            Some(after.checked_sub(*before)? as f64 / (to - from) * SECOND)
        });
        rates.reduce(f64::max)
    }

    /// The most attempts to connect to Redis in a second. The target's count has those that were refused; the proxy's
    /// has those that the target does not count.
    pub(super) fn connection_attempts(&self) -> Option<f64> {
        let counts =
            [self.busiest(|sample| sample.connection_attempts), self.busiest(|sample| sample.connections_accepted)];
        counts.into_iter().flatten().reduce(f64::max)
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
