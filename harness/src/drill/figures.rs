//! What gates look at: the value of each metric in a drill that is over.

use firedrill_reports::run::{Check, Fallback, Gate, GateVerdict, PhaseName, ResourceSample, StoreStory};

use super::watch::Counted;
use crate::clock::Nanos;
use crate::gate::{AboutFaults, Actual, Latency, Metric, Phase};
use crate::history::{OpKind, Outcome};
use crate::measure::{self, Latencies, OpLatencies, PhaseMeasure};

/// What gates look at.
pub(super) struct Figures<'a> {
    pub(super) measures: &'a [PhaseMeasure],
    pub(super) all: &'a OpLatencies,
    pub(super) load_end: Nanos,
    pub(super) faults_planned: bool,
    pub(super) fault_took_hold: bool,
    pub(super) recovery: Option<f64>,
    pub(super) fallback: &'a Fallback,
    pub(super) resources: &'a [ResourceSample],
    pub(super) active: Option<u64>,
    pub(super) held: Option<u64>,
    pub(super) claims: &'a [Gate],
    pub(super) checks: &'a [Check],
    pub(super) counted: Option<Counted>,
    pub(super) trusted: Option<u64>,
    pub(super) story: &'a StoreStory,
}

impl Figures<'_> {
    /// A metric's value; what depends on a fault that never took hold says nothing.
    pub(super) fn actual(&self, metric: Metric) -> Actual {
        let needs_fault = match metric.about_faults() {
            AboutFaults::No => false,
            AboutFaults::WhereTheyAre => self.faults_planned,
            AboutFaults::Always => true,
        };
        match self.value(metric) {
            _ if needs_fault && !self.fault_took_hold => Actual::Nothing("no fault took hold"),
            Some(value) => Actual::Value(value),
            None if metric == Metric::Recovery => {
                Actual::Never("the steady state did not return before the load ended")
            }
            None if metric == Metric::RefutedClaims => Actual::Nothing("a claim could not be measured"),
            None if metric.is_of_resources() => Actual::Nothing("it could not be sampled"),
            None if matches!(metric, Metric::Evicted | Metric::KeysCommands) => {
                Actual::Nothing("Redis could not be asked")
            }
            None if metric == Metric::ImpostorTrusted => Actual::Nothing("no impostor took hold"),
            None if matches!(metric, Metric::Offences(_)) => {
                Actual::Nothing("the checker does not apply to this target")
            }
            None => Actual::Nothing("no operation fell into this phase"),
        }
    }

    fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Recovery => self.recovery,
            Metric::Activations => Some(self.fallback.activations.len() as f64),
            Metric::Served => {
                Some(self.fallback.activations.iter().map(|activation| activation.served).sum::<u64>() as f64)
            }
            Metric::Lost => Some((self.fallback.sessions_lost + self.fallback.drained.lost) as f64),
            Metric::AppMemory => self.most(|sample| sample.process_rss_bytes),
            Metric::RedisMemory => self.most(|sample| sample.redis_used_memory_bytes),
            Metric::ConnectionDown => measure::longest_down(self.resources),
            Metric::ActiveSessions => self.active.map(|sessions| sessions as f64),
            Metric::HeldSessions => self.held.map(|sessions| sessions as f64),
            Metric::RefutedClaims => refuted(self.claims),
            Metric::Evicted => self.counted.map(|counted| counted.evicted as f64),
            Metric::KeysCommands => self.counted.map(|counted| counted.keys_commands as f64),
            Metric::ImpostorTrusted => self.trusted.map(|connections| connections as f64),
            Metric::Offences(name) => {
                self.checks.iter().find(|check| check.name == name).map(|check| check.offences as f64)
            }
            Metric::BreakerOpens => Some(self.story.breaker.iter().map(|outage| outage.opens).sum::<u64>() as f64),
            Metric::BreakerProbes => Some(self.story.breaker.iter().map(|outage| outage.probes).sum::<u64>() as f64),
            Metric::MissingReads => Some(self.story.missing.reads as f64),
            Metric::MissingSessions => Some(self.story.missing.sessions as f64),
            Metric::MissingFor => {
                let missing = &self.story.missing;
                Some(missing.to_ms.zip(missing.from_ms).map_or(0.0, |(to, from)| (to - from) / 1e3))
            }
            Metric::Errors(phase, kind) => self.share(phase, kind, |outcome| !outcome.acknowledged()),
            Metric::Degraded(phase, kind) => self.share(phase, kind, |outcome| outcome == Outcome::Degraded),
            Metric::Rate(phase, kind) => {
                let (latencies, seconds) = self.phase(phase)?;
                let acknowledged = latencies.count(|k, outcome| matches(kind, k) && outcome.acknowledged());
                Some(acknowledged as f64 / seconds)
            }
            Metric::Response(phase, kind, figure) => self.latency(phase, kind, figure, |sum| &sum.response),
            Metric::Service(phase, kind, figure) => self.latency(phase, kind, figure, |sum| &sum.service),
        }
    }

    /// The most of what was sampled.
    fn most(&self, of: impl Fn(&ResourceSample) -> Option<u64>) -> Option<f64> {
        self.resources.iter().filter_map(of).max().map(|most| most as f64)
    }

    /// The latencies of a phase and its length in seconds.
    fn phase(&self, phase: Phase) -> Option<(&OpLatencies, f64)> {
        let name = match phase {
            Phase::All => return Some((self.all, self.load_end as f64 / 1e9)),
            Phase::Before => PhaseName::Before,
            Phase::During => PhaseName::During,
            Phase::Recovery => PhaseName::Recovery,
            Phase::After => PhaseName::After,
        };
        let measure = self.measures.iter().find(|measure| measure.window.phase == name)?;
        Some((&measure.latencies, (measure.window.to - measure.window.from) as f64 / 1e9))
    }

    fn share(&self, phase: Phase, kind: Option<OpKind>, wanted: impl Fn(Outcome) -> bool) -> Option<f64> {
        let (latencies, _) = self.phase(phase)?;
        let total = latencies.count(|k, _| matches(kind, k));
        let found = latencies.count(|k, outcome| matches(kind, k) && wanted(outcome));
        (total > 0).then(|| found as f64 / total as f64)
    }

    fn latency(
        &self,
        phase: Phase,
        kind: Option<OpKind>,
        figure: Latency,
        of: impl Fn(&Latencies) -> &hdrhistogram::Histogram<u64>,
    ) -> Option<f64> {
        let (latencies, _) = self.phase(phase)?;
        let sum = latencies.sum(|k, _| matches(kind, k));
        let histogram = of(&sum);
        let nanos = match figure {
            _ if histogram.is_empty() => return None,
            Latency::Mean => histogram.mean(),
            Latency::Max => histogram.max() as f64,
            Latency::Quantile(quantile) => histogram.value_at_quantile(quantile) as f64,
        };
        Some(nanos / 1e9)
    }
}

/// How many claims did not hold; `None` where none was refuted and some could not be measured.
fn refuted(claims: &[Gate]) -> Option<f64> {
    let count = |verdict| claims.iter().filter(|claim| claim.verdict == verdict).count();
    let refuted = count(GateVerdict::Fail);
    (refuted > 0 || count(GateVerdict::Unknown) == 0).then_some(refuted as f64)
}

fn matches(wanted: Option<OpKind>, kind: OpKind) -> bool {
    wanted.is_none_or(|wanted| wanted == kind)
}
