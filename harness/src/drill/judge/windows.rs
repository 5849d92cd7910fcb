//! The phases of a drill: when the load ended, when a fault was active, when the target was steady again, and how these
//! times divide the load. Length and phases come from the scenario and the observed faults, never from the first and
//! the last operation.

use firedrill_reports::run::{Fallback, Outcome, PhaseName};
use firedrill_reports::text;
use firedrill_storage::Event;

use super::observed::Observed;
use crate::clock::Nanos;
use crate::fault::FaultReport;
use crate::history::{History, Note, OpKind, Step, Tail};
use crate::load::{Pacing, Think};
use crate::measure::{Cut, Layout, Load, LoadOp, OpLatencies, Scope, SteadyRule, Stretch, Window, recovery};
use crate::plan::Plan;
use crate::scenario::SteadySpec;

const MILLI: f64 = 1e6;

/// The course of a drill: what happened when.
pub(super) struct Course {
    /// When the load ended: as planned, or when it was stopped.
    pub(super) load_end: Nanos,
    /// From the first step of the first fault or deploy, before which nothing can have been affected, to the end of the
    /// last one.
    pub(super) disturbed: Option<(Nanos, Nanos)>,
    /// When the target was steady again after that.
    pub(super) recovered: Option<Nanos>,
    /// The phases that occurred, in order of time.
    pub(super) phases: Vec<Window>,
    /// The stretches to measure.
    pub(super) cut: Cut,
    /// What counts as steady.
    pub(super) rule: SteadyRule,
}

impl Course {
    pub(super) fn of(plan: &Plan, history: &History, observed: &Observed, load: &Load<'_>) -> Self {
        let planned_end = plan.load.end();
        let load_end = if observed.interrupted { planned_end.min(observed.load.to) } else { planned_end }.max(0);
        let disturbed = disturbed(faulty(&observed.faults, load_end), history);
        let rule = steady_rule(&plan.scenario.steady);
        let recovered = disturbed.and_then(|(_, end)| recovery(load.ops(), end, load_end, &rule));
        let phases = phases(disturbed, recovered, load_end);
        let layouts = layouts(plan, &phases, &observed.faults, load_end);
        let intervals = intervals(plan, load, disturbed);
        let cut = Cut { layouts, onset: disturbed.map(|(onset, _)| onset), intervals };
        Self { load_end, disturbed, recovered, phases, cut, rule }
    }

    /// Seconds from the end of the last fault to `recovered`.
    pub(super) fn recovery_seconds(&self, recovered: Option<Nanos>) -> Option<f64> {
        self.disturbed.zip(recovered).map(|((_, end), at)| (at - end) as f64 / 1e9)
    }

    /// Whether a fault or deploy was on at `at`, or the target was recovering from one.
    pub(super) fn is_troubled(&self, at: Nanos) -> bool {
        self.disturbed.is_some_and(|(onset, _)| (onset..=self.recovered.unwrap_or(Nanos::MAX)).contains(&at))
    }

    /// Marks the activations that began while the target's environment was fine.
    pub(super) fn mark_unprovoked(&self, fallback: &mut Fallback) {
        for activation in &mut fallback.activations {
            let at = (activation.started_ms * MILLI) as Nanos;
            activation.unprovoked = (0..self.load_end).contains(&at) && !self.is_troubled(at);
        }
    }

    pub(super) fn recovery_note(&self, plan: &Plan) -> String {
        let steady = &plan.scenario.steady;
        let latency = steady.p95.map_or(String::new(), |limit| format!(" and p95 at most {limit}"));
        let rule = format!("steady: for {} at most {} not ok{latency}", steady.window, steady.errors);
        match (self.disturbed, self.recovered) {
            (None, _) => String::new(),
            (Some(_), Some(_)) => rule,
            (Some(_), None) => format!("not steady again before the load ended ({rule})"),
        }
    }

    /// Why the drill does not count, judging by the history and its course.
    pub(super) fn doubts(
        &self,
        plan: &Plan,
        history: &History,
        observed: &Observed,
        stretches: &[Stretch],
    ) -> Vec<String> {
        let mut doubts = observed.doubts.clone();
        if observed.tail != Tail::Complete {
            doubts.push("the history on disk is not complete".to_owned());
        }
        let (recorded, completed) = (recorded(history), observed.load.counts.completed);
        if recorded != completed {
            doubts.push(format!(
                "the history holds {recorded} operations of the load, the workers completed {completed}"
            ));
        }
        // The store that saw the fewest decides.
        let switched = |of: u32| {
            let is_one = |note: &&Note| match note {
                Note::Store { event: Event::Switched { .. }, instance, .. } => *instance == of,
                _ => false,
            };
            history.notes.iter().filter(is_one).count()
        };
        let happened = (0..history.header.instances.get()).map(switched).min().unwrap_or(0);
        let planned = plan.scenario.deploy.iter().filter(|deploy| deploy.policy.is_some()).count();
        if happened < planned && !observed.interrupted {
            doubts.push(format!("{} of {planned} deploys changed nothing or never came", planned - happened));
        }
        if self.disturbed.is_some() && self.recovered.is_none() {
            doubts.push("the target was not steady again before the load ended: its recovery was not seen".to_owned());
        }
        doubts.extend(slow_start(&plan.scenario.steady, stretches));
        let all = stretches.iter().find(|stretch| stretch.layout.scope == Scope::All);
        if recorded > 0 && all.is_some_and(|all| all.latencies.count(|_, outcome| outcome.acknowledged()) == 0) {
            doubts.push("no operation of the load was acknowledged, so there was nothing to judge".to_owned());
        }
        doubts
    }
}

/// From the first step of the first fault until the last one was seen to be over, or until the load ended if one could
/// not be undone; `None` if no fault took hold.
fn faulty(faults: &[FaultReport], load_end: Nanos) -> Option<(Nanos, Nanos)> {
    let held = || faults.iter().filter(|fault| fault.onset.is_some());
    let onset = held().filter_map(|fault| fault.began).min()?;
    let end = held().map(|fault| fault.end.unwrap_or(load_end)).max()?;
    Some((onset, end.max(onset)))
}

/// The same, including the store's deploys: from the first fault or deploy to the last.
fn disturbed(faulty: Option<(Nanos, Nanos)>, history: &History) -> Option<(Nanos, Nanos)> {
    let deploys = history
        .notes
        .iter()
        .filter(|note| matches!(note, Note::Store { event: Event::Switched { .. }, .. }))
        .map(Note::at);
    deploys.fold(faulty, |known, at| Some(known.map_or((at, at), |(from, to)| (from.min(at), to.max(at)))))
}

/// The load up to `load_end`, divided by the disturbance and by when the target was steady again.
pub(super) fn phases(disturbed: Option<(Nanos, Nanos)>, recovered: Option<Nanos>, load_end: Nanos) -> Vec<Window> {
    let Some((onset, end)) = disturbed else {
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

/// The name that gates use for a fault.
pub(super) fn fault_name(plan: &Plan, report: &FaultReport) -> String {
    let position = report.index as usize;
    plan.faults.get(position).map_or_else(|| position.to_string(), |spec| spec.called(position))
}

/// The whole load, each phase, each fault, each block, and each block in each phase. A single block's stretches are the
/// load's own and are left out unless a gate refers to them.
fn layouts(plan: &Plan, phases: &[Window], faults: &[FaultReport], load_end: Nanos) -> Vec<Layout> {
    let mut layouts = vec![Layout { scope: Scope::All, windows: vec![(0, load_end)], block: None }];
    layouts.extend(phases.iter().map(|window| Layout {
        scope: Scope::Phase(window.phase),
        windows: vec![(window.from, window.to)],
        block: None,
    }));
    let looked_at = |scope: &Scope| plan.scenario.gates.iter().any(|gate| gate.of.subject().scope == *scope);
    let mut names: Vec<String> = faults.iter().map(|fault| fault_name(plan, fault)).collect();
    names.dedup();
    for name in &names {
        let scope = Scope::Fault(name.clone());
        let named = plan.faults.iter().any(|spec| spec.name.as_ref() == Some(name));
        let own = faults.iter().filter(|fault| fault_name(plan, fault) == *name && fault.onset.is_some());
        let mut windows: Vec<(Nanos, Nanos)> = own
            .filter_map(|fault| Some((fault.began?, fault.end.unwrap_or(load_end).min(load_end))))
            .filter(|(from, to)| from < to)
            .collect();
        windows.sort_unstable();
        let worth_it = names.len() > 1 || windows.len() > 1 || named || looked_at(&scope);
        if worth_it && !windows.is_empty() {
            layouts.push(Layout { scope, windows, block: None });
        }
    }
    let blocks = plan.load.blocks();
    for (number, (block, spec)) in blocks.iter().zip(&plan.scenario.load).enumerate() {
        let name = spec.name.clone().unwrap_or_else(|| number.to_string());
        let (from, to) = (block.at, block.end().min(load_end));
        let parts = phases.iter().map(|window| (Some(window.phase), window.from.max(from), window.to.min(to)));
        for (phase, from, to) in std::iter::once((None, from, to)).chain(parts).filter(|(_, from, to)| from < to) {
            let scope = Scope::Load(name.clone(), phase);
            if blocks.len() > 1 || looked_at(&scope) {
                layouts.push(Layout { scope, windows: vec![(from, to)], block: Some(number) });
            }
        }
    }
    layouts
}

/// How often a user of each closed block sends while nothing is wrong: its mean pause plus the median service time of
/// what was sent before the first fault, or of everything if nothing was. `None` for an open block.
fn intervals(plan: &Plan, load: &Load<'_>, disturbed: Option<(Nanos, Nanos)>) -> Vec<Option<Nanos>> {
    let blocks = plan.load.blocks();
    let pauses = blocks.iter().map(|block| match block.pacing {
        Pacing::Open { .. } => None,
        Pacing::Closed { think, .. } => Some(match think {
            Think::None => 0,
            Think::Constant(pause) | Think::Exponential(pause) => i64::try_from(pause.as_nanos()).unwrap_or(i64::MAX),
        }),
    });
    let pauses: Vec<Option<Nanos>> = pauses.collect();
    if pauses.iter().all(Option::is_none) {
        return pauses;
    }
    let onset = disturbed.map_or(Nanos::MAX, |(onset, _)| onset);
    let measured = |quiet: &dyn Fn(&LoadOp) -> bool| {
        let mut service: Vec<OpLatencies> = vec![OpLatencies::default(); blocks.len()];
        for op in load.ops().filter(|op| quiet(op)) {
            if let Some(latencies) = service.get_mut(op.block) {
                latencies.record(OpKind::Read, Outcome::Ok, op.started, op.started, op.ended);
            }
        }
        let median = |latencies: &OpLatencies| {
            let sum = latencies.sum(|_, _| true).service;
            (!sum.is_empty()).then(|| sum.value_at_quantile(0.5) as Nanos)
        };
        service.iter().map(median).collect::<Vec<Option<Nanos>>>()
    };
    let (quiet, any) = (measured(&|op| op.ended < onset), measured(&|_| true));
    let medians = quiet.into_iter().zip(any).map(|(quiet, any)| quiet.or(any).unwrap_or(0));
    pauses.into_iter().zip(medians).map(|(pause, service)| pause.map(|pause| (pause + service).max(1))).collect()
}

fn steady_rule(steady: &SteadySpec) -> SteadyRule {
    SteadyRule {
        window: steady.window.nanos(),
        max_error_share: steady.errors.0,
        max_latency: steady.p95.map(|limit| (0.95, limit.nanos())),
    }
}

/// A target that was slower than steady before anything disturbed it proves nothing. The warm-up cannot show this: it
/// runs as fast as it can.
fn slow_start(steady: &SteadySpec, stretches: &[Stretch]) -> Option<String> {
    let limit = steady.p95?;
    let before = Scope::Phase(PhaseName::Before);
    let before = stretches.iter().find(|stretch| stretch.layout.scope == before && stretch.count() > 0)?;
    let p95 = before.response().value_at_quantile(0.95) as f64;
    (p95 > limit.nanos() as f64).then(|| {
        let p95 = text::millis(p95 / MILLI);
        format!("the target was not healthy at the start: a p95 of {p95} where steady is at most {limit}")
    })
}

/// The number of load operations in the history.
fn recorded(history: &History) -> u64 {
    history.ops.ops.iter().filter(|op| op.step == Step::Load).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Cause;
    use crate::units::Span;

    const S: Nanos = 1_000_000_000;

    fn cut(disturbed: Option<(Nanos, Nanos)>, recovered: Option<Nanos>) -> Vec<(PhaseName, Nanos, Nanos)> {
        phases(disturbed, recovered, 20 * S).into_iter().map(|window| (window.phase, window.from, window.to)).collect()
    }

    #[test]
    fn a_target_that_was_slow_before_the_fault_was_not_healthy() {
        let operation = LoadOp {
            planned: 0,
            started: 0,
            ended: 20_000_000,
            kind: OpKind::Read,
            outcome: Outcome::Ok,
            cause: Cause::None,
            process: 0,
            block: 0,
        };
        let layout = Layout { scope: Scope::Phase(PhaseName::Before), windows: vec![(0, S)], block: None };
        let measured = Cut { layouts: vec![layout], ..Cut::default() }.measure([operation].into_iter());
        let rule = |p95| SteadySpec { p95, ..SteadySpec::default() };
        assert_eq!(slow_start(&rule(None), &measured), None);
        assert_eq!(slow_start(&rule(Some(Span::millis(30))), &measured), None);
        let doubt = slow_start(&rule(Some(Span::millis(10))), &measured).unwrap();
        assert!(doubt.starts_with("the target was not healthy at the start"), "{doubt}");
    }

    #[test]
    fn without_a_fault_everything_is_before() {
        assert_eq!(cut(None, None), [(PhaseName::Before, 0, 20 * S)]);
    }

    #[test]
    fn a_fault_that_could_not_be_undone_lasts_until_the_load_ends() {
        let window = crate::fault::Window { fault: 0, occurrence: 0, on: 6 * S, off: 11 * S };
        let mut report = FaultReport::planned(&window, "proxy.down", String::new());
        assert_eq!(faulty(std::slice::from_ref(&report), 20 * S), None, "it never held");
        (report.began, report.onset) = (Some(6 * S), Some(7 * S));
        assert_eq!(faulty(std::slice::from_ref(&report), 20 * S), Some((6 * S, 20 * S)));
        report.end = Some(11 * S);
        assert_eq!(faulty(&[report], 20 * S), Some((6 * S, 11 * S)));
    }

    #[test]
    fn the_phases_follow_what_was_observed() {
        assert_eq!(
            cut(Some((6 * S, 11 * S)), Some(12 * S)),
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
            names(cut(Some((6 * S, 11 * S)), Some(11 * S))),
            [PhaseName::Before, PhaseName::During, PhaseName::After]
        );
        let never = cut(Some((6 * S, 11 * S)), None);
        assert_eq!(never.last(), Some(&(PhaseName::Recovery, 11 * S, 20 * S)));
    }
}
