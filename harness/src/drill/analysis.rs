//! Step 9: from the history on disk to checks, phases, recovery, gates and a verdict. Pure but for the clock that limits
//! the checkers.

use std::collections::BTreeMap;

use firedrill_reports::run::{
    self, CauseCount, Check, Curve, Fallback, Gate, Generator, Phase as PhaseRecord, PhaseName, ResourceSample,
    StoreStory, Timeline,
};
use firedrill_reports::text;

use super::checked::checks;
use super::figures::Figures;
use super::verdict::{Evidence, verdict};
use super::watch::Counted;
use crate::clock::Nanos;
use crate::fault::FaultReport;
use crate::gate;
use crate::history::{Cause, History, Note, Outcome, Step, Tail};
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
    /// Sessions that the store held in memory then, where it can tell.
    pub held: Option<u64>,
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
        let (fallback, story) = measure::told(history);
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
            held: drill.held,
            claims: drill.claims,
            checks: &checks,
            counted: drill.counted,
            trusted: trusted(&drill.faults),
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

/// Connections that took an impostor for Redis; `None` where there was none.
fn trusted(faults: &[FaultReport]) -> Option<u64> {
    faults.iter().filter_map(|fault| fault.trusted).reduce(|sum, more| sum + more)
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
    use crate::history::{OpKind, OpRecord, Presence};
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
