//! Step 9: from the history on disk to checks, phases, recovery, gates and a verdict. Pure but for the clock that limits
//! the checkers.

use std::collections::BTreeMap;

use firedrill_reports::run::{
    self, Activation, CauseCount, Check, Curve, Drained, Fallback, Gate, GateVerdict, Generator, Phase as PhaseRecord,
    PhaseName, ResourceSample, StoreStory, Timeline,
};
use firedrill_reports::text;

use super::checked::checks;
use super::verdict::{Evidence, verdict};
use super::watch::Counted;
use crate::clock::Nanos;
use crate::fault::FaultReport;
use crate::gate::{self, Actual, Latency, Metric, Phase};
use crate::history::{Cause, History, Note, OpKind, OpRecord, Outcome, Step, Tail};
use crate::load::{LoadSummary, Pacing, Saturation};
use crate::measure::{self, OpLatencies, PhaseMeasure, SteadyRule, Window, recovery, reported, timeline};
use crate::plan::Plan;
use crate::scenario::SteadySpec;

/// Width of the timeline's buckets.
const BUCKET: Nanos = 200_000_000;

const MILLI: f64 = 1e6;

/// Everything that a drill came to.
pub struct Findings {
    pub verdict: run::Verdict,
    pub reasons: Vec<String>,
    pub load_seconds: f64,
    pub gates: Vec<Gate>,
    pub checks: Vec<Check>,
    pub generator: Generator,
    pub faults: Vec<run::Fault>,
    pub phases: Vec<PhaseRecord>,
    pub recovery_ms: Option<f64>,
    pub recovered_at_ms: Option<f64>,
    pub recovery_note: String,
    pub fallback: Fallback,
    pub store: StoreStory,
    pub timeline: Timeline,
    pub curves: Vec<Curve>,
    pub errors: Vec<CauseCount>,
}

/// What the drill itself knows, beside the history.
pub struct Circumstances<'a> {
    /// How the generator fared.
    pub load: LoadSummary,
    /// What became of the faults.
    pub faults: Vec<FaultReport>,
    /// What Redis counted while the load ran; `None` where it never answered.
    pub counted: Option<Counted>,
    /// Why the drill cannot count, as far as is known already.
    pub doubts: Vec<String>,
    /// A signal ended it.
    pub interrupted: bool,
    /// What was sampled beside the load.
    pub resources: &'a [ResourceSample],
    /// Sessions in Redis when the load was over, where they could be counted.
    pub active: Option<u64>,
    /// The scenario's claims, held against their probes.
    pub claims: &'a [Gate],
}

impl Findings {
    /// Judges a drill.
    pub fn of(plan: &Plan, history: &History, tail: Tail, drill: Circumstances<'_>) -> Self {
        let ops = &history.ops.ops;
        let load_end = plan.load.end().min(drill.load.to).max(0);
        let mut doubts = drill.doubts;
        if tail != Tail::Complete {
            doubts.push("the history on disk is not complete".to_owned());
        }
        let recorded = ops.iter().filter(|op| op.step == Step::Load).count() as u64;
        if recorded != drill.load.counts.completed {
            let completed = drill.load.counts.completed;
            doubts.push(format!(
                "the history holds {recorded} operations of the load, the workers completed {completed}"
            ));
        }

        let faulty = disturbed(faulty(&drill.faults), history);
        let story = measure::story(history);
        let deploys = (story.deploys.len(), plan.scenario.deploy.len());
        if deploys.0 < deploys.1 && !drill.interrupted {
            doubts.push(format!("{} of {} deploys changed nothing or never came", deploys.1 - deploys.0, deploys.1));
        }
        let recovered = faulty.and_then(|(_, end)| recovery(ops, end, load_end, &steady_rule(plan)));
        if faulty.is_some() && recovered.is_none() {
            doubts.push("the target was not steady again before the load ended: its recovery was not seen".to_owned());
        }
        let measures = PhaseMeasure::of(ops, &windows(faulty, recovered, load_end));
        doubts.extend(slow_start(&plan.scenario.steady, &measures));
        let mut all = OpLatencies::default();
        measures.iter().for_each(|phase| all.add(&phase.latencies));
        if recorded > 0 && all.count(|_, outcome| outcome.acknowledged()) == 0 {
            doubts
                .push("no operation of the load was acknowledged: there was nothing to hold the target to".to_owned());
        }

        let fallback = fallback(history);
        let checks = checks(history, &plan.scenario);
        let figures = Figures {
            measures: &measures,
            all: &all,
            load_end,
            faults_planned: !plan.faults.is_empty() || !plan.scenario.deploy.is_empty(),
            fault_took_hold: faulty.is_some(),
            recovery: faulty.zip(recovered).map(|((_, end), at)| (at - end) as f64 / 1e9),
            fallback: &fallback,
            resources: drill.resources,
            active: drill.active,
            claims: drill.claims,
            checks: &checks,
            counted: drill.counted,
            story: &story,
        };
        let gates = gate::judge(&plan.gates, |metric| figures.actual(metric));
        let generator = generator(plan, &drill.load, &all, load_end);
        let faults: Vec<run::Fault> = drill.faults.iter().map(fault).collect();
        let evidence = Evidence {
            gates: &gates,
            checks: &checks,
            expected: &plan.scenario.checks,
            faults: &faults,
            generator: &generator,
            doubts: &doubts,
            interrupted: drill.interrupted,
        };
        let (verdict, reasons) = verdict(&evidence);
        Self {
            verdict,
            reasons,
            load_seconds: load_end as f64 / 1e9,
            recovery_ms: figures.recovery.map(|seconds| seconds * 1e3),
            recovered_at_ms: recovered.map(|at| at as f64 / MILLI),
            recovery_note: recovery_note(plan, faulty, recovered),
            phases: measures.iter().map(PhaseMeasure::report).collect(),
            curves: measures.iter().flat_map(PhaseMeasure::curves).collect(),
            timeline: timeline(ops, 0, load_end, BUCKET),
            errors: errors(history),
            gates,
            checks,
            generator,
            faults,
            fallback,
            store: story,
        }
    }
}

/// From the first step of the first fault (nothing can have been hit before) until the last one was seen to be over;
/// `None` where no fault took hold.
fn faulty(faults: &[FaultReport]) -> Option<(Nanos, Nanos)> {
    let onset = faults.iter().filter(|fault| fault.onset.is_some()).filter_map(|fault| fault.began).min()?;
    let end = faults.iter().filter_map(|fault| fault.end).max()?;
    Some((onset, end.max(onset)))
}

/// The same with the store's deploys: from the first of faults and deploys until the last.
fn disturbed(faulty: Option<(Nanos, Nanos)>, history: &History) -> Option<(Nanos, Nanos)> {
    let deploys = history.notes.iter().filter(|note| matches!(note, Note::Deployed { .. })).map(Note::at);
    deploys.fold(faulty, |known, at| Some(known.map_or((at, at), |(from, to)| (from.min(at), to.max(at)))))
}

/// The phases that there were, in the order of time.
fn windows(faulty: Option<(Nanos, Nanos)>, recovered: Option<Nanos>, load_end: Nanos) -> Vec<Window> {
    let Some((onset, end)) = faulty else {
        return vec![Window { phase: PhaseName::Before, from: 0, to: load_end }];
    };
    let steady = recovered.unwrap_or(load_end);
    let cuts = [
        (PhaseName::Before, 0, onset),
        (PhaseName::During, onset, end),
        (PhaseName::Recovery, end, steady),
        (PhaseName::After, steady, load_end),
    ];
    let window = |(phase, from, to): (PhaseName, Nanos, Nanos)| Window { phase, from, to: to.min(load_end) };
    cuts.into_iter().map(window).filter(|window| window.from < window.to).collect()
}

fn steady_rule(plan: &Plan) -> SteadyRule {
    let steady = &plan.scenario.steady;
    SteadyRule {
        window: steady.window.nanos(),
        max_error_share: steady.errors.0,
        max_latency: steady.p95.map(|limit| (0.95, limit.nanos())),
    }
}

fn recovery_note(plan: &Plan, faulty: Option<(Nanos, Nanos)>, recovered: Option<Nanos>) -> String {
    let steady = &plan.scenario.steady;
    let latency = steady.p95.map_or(String::new(), |limit| format!(" and p95 at most {limit}"));
    let rule = format!("steady: for {} at most {} not ok{latency}", steady.window, steady.errors);
    match (faulty, recovered) {
        (None, _) => String::new(),
        (Some(_), Some(_)) => rule,
        (Some(_), None) => format!("not steady again before the load ended ({rule})"),
    }
}

/// A target that was slower than steady before anything was done to it proves nothing. The warm-up cannot tell: it runs
/// as fast as it can.
fn slow_start(steady: &SteadySpec, measures: &[PhaseMeasure]) -> Option<String> {
    let limit = steady.p95?;
    let before = measures.iter().find(|phase| phase.window.phase == PhaseName::Before && phase.count() > 0)?;
    let p95 = before.response().value_at_quantile(0.95) as f64;
    (p95 > limit.nanos() as f64).then(|| {
        let p95 = text::millis(p95 / MILLI);
        format!("the target was not healthy at the start: a p95 of {p95} where steady is at most {limit}")
    })
}

/// What gates look at.
struct Figures<'a> {
    measures: &'a [PhaseMeasure],
    all: &'a OpLatencies,
    load_end: Nanos,
    faults_planned: bool,
    fault_took_hold: bool,
    recovery: Option<f64>,
    fallback: &'a Fallback,
    resources: &'a [ResourceSample],
    active: Option<u64>,
    claims: &'a [Gate],
    checks: &'a [Check],
    counted: Option<Counted>,
    story: &'a StoreStory,
}

impl Figures<'_> {
    /// A metric's value; what depends on a fault that never took hold says nothing.
    fn actual(&self, metric: Metric) -> Actual {
        let needs_fault = match metric {
            Metric::Recovery => true,
            Metric::Activations
            | Metric::Served
            | Metric::Lost
            | Metric::BreakerOpens
            | Metric::BreakerProbes
            | Metric::MissingReads
            | Metric::MissingSessions
            | Metric::MissingFor => self.faults_planned,
            _ => false,
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
            Metric::RefutedClaims => refuted(self.claims),
            Metric::Evicted => self.counted.map(|counted| counted.evicted as f64),
            Metric::KeysCommands => self.counted.map(|counted| counted.keys_commands as f64),
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
        of: impl Fn(&crate::measure::Latencies) -> &hdrhistogram::Histogram<u64>,
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

fn fault(report: &FaultReport) -> run::Fault {
    run::Fault {
        index: report.index,
        kind: report.kind.to_string(),
        detail: report.detail.clone(),
        planned_at_ms: report.planned_at as f64 / MILLI,
        planned_for_ms: Some(report.planned_for as f64 / MILLI),
        onset_ms: report.onset.map(|at| at as f64 / MILLI),
        end_ms: report.end.map(|at| at as f64 / MILLI),
        bit: report.bit,
        evidence: report.evidence.clone(),
    }
}

fn fallback(history: &History) -> Fallback {
    let mut found = Fallback::default();
    for note in &history.notes {
        match note {
            Note::FallbackStarted { at, cause } => found.activations.push(Activation {
                started_ms: *at as f64 / MILLI,
                ended_ms: None,
                cause: cause.clone(),
                served: 0,
            }),
            Note::FallbackEnded { at, served } => {
                if let Some(open) = found.activations.last_mut() {
                    open.ended_ms = Some(*at as f64 / MILLI);
                    open.served = *served;
                }
            }
            Note::Drained { written, deleted, merged, lost, .. } => {
                let sum = found.drained;
                found.drained = Drained {
                    written: sum.written + written,
                    deleted: sum.deleted + deleted,
                    merged: sum.merged + merged,
                    lost: sum.lost + lost,
                };
            }
            Note::SessionsLost { sessions, .. } => found.sessions_lost += sessions,
            _ => {}
        }
    }
    // The store says what a fallback served when it ends; of one that never did, the operations tell.
    if let Some(open) = found.activations.last_mut().filter(|activation| activation.ended_ms.is_none()) {
        let served = |op: &&OpRecord| op.outcome == Outcome::Degraded && op.ended as f64 / MILLI >= open.started_ms;
        open.served = history.ops.ops.iter().filter(served).count() as u64;
    }
    found
}

fn errors(history: &History) -> Vec<CauseCount> {
    let mut counts: BTreeMap<(Cause, Outcome), u64> = BTreeMap::new();
    for op in history.ops.ops.iter().filter(|op| op.step == Step::Load && op.outcome != Outcome::Ok) {
        *counts.entry((op.cause, op.outcome)).or_default() += 1;
    }
    let count = |((cause, outcome), count): ((Cause, Outcome), u64)| CauseCount {
        cause: cause.name().to_owned(),
        outcome: reported(outcome),
        count,
    };
    let mut errors: Vec<CauseCount> = counts.into_iter().map(count).collect();
    errors.sort_by_key(|error| std::cmp::Reverse(error.count));
    errors
}

fn generator(plan: &Plan, load: &LoadSummary, all: &OpLatencies, load_end: Nanos) -> Generator {
    let seconds = (load_end as f64 / 1e9).max(1e-9);
    let open = plan.load.blocks().iter().all(|block| matches!(block.pacing, Pacing::Open { .. }));
    let counts = &load.counts;
    let slip = all.sum(|_, _| true).slip;
    let wall: f64 = load.workers.iter().map(|worker| worker.wall.as_secs_f64()).sum();
    let signs = load.saturation();
    // A closed loop without think time runs as fast as it can: that is no fault of the generator.
    let saturated = open && signs.iter().any(Saturation::disqualifies);
    Generator {
        target_rate: open.then(|| counts.planned as f64 / seconds),
        achieved_rate: counts.started as f64 / seconds,
        planned: counts.planned,
        started: counts.started,
        completed: counts.completed,
        dropped: counts.dropped,
        abandoned: counts.abandoned,
        max_slip_ms: load.max_slip().as_secs_f64() * 1e3,
        p99_slip_ms: slip.value_at_quantile(0.99) as f64 / MILLI,
        cpu_percent: (wall > 0.0).then(|| load.cpu().as_secs_f64() / wall * 100.0),
        cores: load.workers.len() as u32,
        saturated,
        note: signs.iter().map(sign).collect::<Vec<_>>().join("; "),
    }
}

fn sign(sign: &Saturation) -> String {
    match sign {
        Saturation::Late { share } => format!("{} of the operations were released late", text::percent(*share)),
        Saturation::Cpu { worker, share } => {
            format!("load thread {worker} was busy {} of a second", text::percent(*share))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{FORMAT_VERSION, Header, OpBatch, Presence};
    use crate::scenario::units::Span;

    const S: Nanos = 1_000_000_000;

    /// A read of the load that was due and sent at `started` and found its session at `ended`.
    fn op(started: Nanos, ended: Nanos) -> OpRecord {
        OpRecord {
            index: 0,
            planned: started,
            started,
            ended,
            version: 1,
            session: 0,
            process: 0,
            owner: 0,
            tokens_at: 0,
            tokens_len: 0,
            kind: OpKind::Read,
            step: Step::Load,
            outcome: Outcome::Ok,
            presence: Presence::Present,
            cause: Cause::None,
        }
    }

    fn phases(faulty: Option<(Nanos, Nanos)>, recovered: Option<Nanos>) -> Vec<(PhaseName, Nanos, Nanos)> {
        windows(faulty, recovered, 20 * S).into_iter().map(|window| (window.phase, window.from, window.to)).collect()
    }

    #[test]
    fn a_target_that_was_slow_before_the_fault_was_not_healthy() {
        let operation = op(0, 20_000_000);
        let window = Window { phase: PhaseName::Before, from: 0, to: S };
        let measures = PhaseMeasure::of(&[operation], &[window]);
        let rule = |p95| SteadySpec { p95, ..SteadySpec::default() };
        assert_eq!(slow_start(&rule(None), &measures), None);
        assert_eq!(slow_start(&rule(Some(Span::millis(30))), &measures), None);
        let doubt = slow_start(&rule(Some(Span::millis(10))), &measures).unwrap();
        assert!(doubt.starts_with("the target was not healthy at the start"), "{doubt}");
    }

    #[test]
    fn a_fallback_that_never_ended_has_served_what_was_acknowledged_since_it_began() {
        let degraded = |at| OpRecord { outcome: Outcome::Degraded, ..op(at, at + 1) };
        let header = Header {
            version: FORMAT_VERSION,
            scenario: "x".to_owned(),
            seed: 1,
            ttl_ns: S,
            ttl_slack_ns: 0,
            sliding: true,
            sessions_per_user: std::num::NonZeroU32::MIN,
            epoch_ms: 0,
        };
        let started = |at| Note::FallbackStarted { at, cause: "timeout".to_owned() };
        let history = History {
            header,
            ops: OpBatch {
                ops: vec![degraded(2 * S), op(3 * S, 3 * S), degraded(5 * S), degraded(6 * S)],
                ..OpBatch::default()
            },
            notes: vec![started(S), Note::FallbackEnded { at: 3 * S, served: 1 }, started(4 * S)],
        };
        let served: Vec<u64> = fallback(&history).activations.iter().map(|activation| activation.served).collect();
        assert_eq!(served, [1, 2]);
    }

    #[test]
    fn without_a_fault_everything_is_before() {
        assert_eq!(phases(None, None), [(PhaseName::Before, 0, 20 * S)]);
    }

    #[test]
    fn the_phases_follow_what_was_observed() {
        assert_eq!(
            phases(Some((6 * S, 11 * S)), Some(12 * S)),
            [
                (PhaseName::Before, 0, 6 * S),
                (PhaseName::During, 6 * S, 11 * S),
                (PhaseName::Recovery, 11 * S, 12 * S),
                (PhaseName::After, 12 * S, 20 * S),
            ]
        );
    }

    #[test]
    fn a_target_that_was_steady_at_once_has_no_recovery_phase_and_one_that_never_was_has_no_after() {
        let names = |found: Vec<(PhaseName, Nanos, Nanos)>| found.into_iter().map(|phase| phase.0).collect::<Vec<_>>();
        assert_eq!(
            names(phases(Some((6 * S, 11 * S)), Some(11 * S))),
            [PhaseName::Before, PhaseName::During, PhaseName::After]
        );
        let never = phases(Some((6 * S, 11 * S)), None);
        assert_eq!(never.last(), Some(&(PhaseName::Recovery, 11 * S, 20 * S)));
    }
}
