//! Steps 9 and 10: turn the history on disk and the other observations into the record of a run. Pure except for the
//! clock that limits the checkers.

mod blame;
mod calls;
mod checks;
mod evidence;
#[cfg(test)]
mod fixture;
mod gates;
mod generator;
mod impact;
mod implied;
mod observed;
#[cfg(test)]
mod recomputed;
mod remains;
mod situations;
mod steady;
#[cfg(test)]
mod tests;
mod verdict;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use firedrill_reports::Run;
use firedrill_reports::run::{self, CauseCount, Machine, Outcome, PhaseName, Scenario};
use firedrill_reports::text::rfc3339;
use firedrill_storage::Event;

use crate::check;
use crate::clock::Nanos;
use crate::fault::{Cue, FaultReport};
use crate::history::{History, Note, SessionNo};
use crate::load::LoadSummary;
use crate::measure::{Cut, Excuse, Held, Load, LoadOp, Scope, Stall, Stretch, batches, beside, store_events, timeline};
use crate::metric::Measured;
use crate::plan::Plan;
use blame::Blame;
use calls::Calls;
use evidence::Evidence;
pub use implied::limited;
pub use observed::Observed;
pub use remains::remains;
pub use verdict::add;
use windows::Course;

/// Width of a timeline bucket.
const BUCKET: Nanos = 200_000_000;

const MILLI: f64 = 1e6;

/// Judges a drill.
pub fn judge(plan: &Plan, history: &History, observed: Observed) -> Run {
    let missing = check::missing(history);
    let block_of = |index| plan.load.block_of(index);
    let load = Load::new(&history.ops.ops, &missing, &block_of);
    let (mut fallback, store) = store_events(history, &missing);
    let course = Course::of(plan, history, &observed, &load);
    course.mark_unprovoked(&mut fallback);

    let stretches = course.cut.measure(load.ops());
    let mut checks = checks::checks(history, &plan.scenario);
    let counted = observed.sampled.counted;
    let evicted = blame::evicted_unasked(plan, counted.as_ref());
    if evicted > 0 {
        blame::doubt_after_eviction(&mut checks, evicted);
    }
    let calls = Calls::of(plan, &observed.faults);
    let measured = Measured {
        stretches: &stretches,
        faults_planned: !plan.faults.is_empty() || !plan.scenario.deploy.is_empty(),
        fault_took_hold: course.disturbed.is_some(),
        recovery: course.recovery_seconds(course.recovered),
        fallback: &fallback,
        store: &store,
        longest_call: calls.longest(load.ops()),
        resources: &observed.sampled.resources,
        active: observed.active,
        held: observed.held,
        claims: &observed.claims,
        checks: &checks,
        evicted: counted.map(|counted| counted.evicted),
        keys_commands: counted.map(|counted| counted.keys_commands),
        trusted: trusted(&observed.faults),
    };

    let recovery = measured.recovery;
    let deadline = plan.scenario.store.timeout.nanos();
    let on = observed.faults.iter().filter_map(|report| Some((report.began?, report.end.unwrap_or(Nanos::MAX))));
    let on: Vec<(Nanos, Nanos)> = on.collect();
    let excuse = Excuse::new(stalls(plan, &observed), deadline, &fallback.activations, &on);
    let generator = generator::generator(plan, &observed, &load, &course, &excuse);
    let faults: Vec<run::Fault> = observed.faults.iter().map(|report| fault(plan, report)).collect();
    let bench =
        gates::Bench { measured, course: &course, load: &load, calls: &calls, excuse: &excuse, faults: &faults };
    let mut gates = bench.judge(plan, &generator, &implied::implied(plan, &measured));
    gates.extend(steady::gates(plan, &bench));
    if evicted > 0 {
        blame::doubt_gates_after_eviction(&mut gates, evicted);
    }

    let mut doubts = course.doubts(plan, history, &observed, &stretches);
    if evicted > 0 {
        doubts.push(blame::doubt_of_eviction(evicted, &missing_sessions(history, &missing)));
    }

    let refused = Blame::of(plan, counted, observed.sampled.refusal.as_deref());
    for blame in refused.into_iter().chain(observed.sampled.lacks.map(Blame::on_the_machine)) {
        blame.excuse(&mut gates, &mut checks);
        doubts.insert(0, blame.doubt());
    }

    let stated = situations::stated(plan, history, &load);
    let evidence = Evidence {
        plan,
        gates: &gates,
        checks: &checks,
        faults: &faults,
        generator: &generator,
        doubts,
        unmet: situations::doubts(plan, &stated),
        interrupted: observed.interrupted,
    };
    let (verdict, reasons) = verdict::verdict(&evidence);

    let epoch = UNIX_EPOCH + Duration::from_millis(history.header.epoch_ms.unsigned_abs());
    let scenario = &plan.scenario;
    Run {
        firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: Scenario { name: scenario.name.clone(), about: scenario.about.clone(), tags: scenario.tags.clone() },
        verdict,
        reasons,
        exit_status: verdict.exit_status(),
        seed: plan.seed,
        started_at: rfc3339(epoch),
        load_seconds: course.load_end as f64 / 1e9,
        config: toml::to_string(scenario).unwrap_or_else(|error| format!("# cannot be written as TOML: {error}\n")),
        recovery_ms: recovery.map(|seconds| seconds * 1e3),
        recovered_at_ms: course.recovered.map(|at| at as f64 / MILLI),
        recovery_note: course.recovery_note(plan),
        phases: recorded_phases(&stretches, &course.cut, &load),
        percentile_curves: phases(&stretches).flat_map(|(name, stretch)| stretch.curves(name)).collect(),
        stretches: stretches.iter().filter_map(named_stretch).collect(),
        timeline: timeline(load.ops(), course.load_end, BUCKET),
        errors: causes(load.ops()),
        machine: machine(&observed.stalls),
        refusals: refusals(&observed.load, history),
        gates,
        impact: Some(impact::impact(history, &missing, &checks)),
        checks,
        situations: stated,
        reached: situations::reached(plan, history, &load, &course),
        generator,
        faults,
        fallback,
        store,
        replay: observed.replay,
        environment: observed.environment,
        claims: observed.claims,
        resources: observed.sampled.resources,
        ..Run::default()
    }
}

/// The sessions that the operations at `positions` did not find, without duplicates.
fn missing_sessions(history: &History, positions: &[usize]) -> Vec<SessionNo> {
    let sessions = positions.iter().map(|at| history.ops.ops[*at].session);
    sessions.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The phases that occurred, in order of time.
fn phases(stretches: &[Stretch]) -> impl Iterator<Item = (PhaseName, &Stretch)> {
    stretches.iter().filter_map(|stretch| match stretch.layout.scope {
        Scope::Phase(name) => Some((name, stretch)),
        _ => None,
    })
}

/// The phases with their batches, as written to `run.json`.
fn recorded_phases(stretches: &[Stretch], cut: &Cut, load: &Load<'_>) -> Vec<run::Phase> {
    let with_batches = |(place, stretch): (usize, &Stretch)| match stretch.layout.scope {
        Scope::Phase(name) => Some(run::Phase { batches: batches(cut, place, load.ops()), ..stretch.phase(name) }),
        _ => None,
    };
    stretches.iter().enumerate().filter_map(with_batches).collect()
}

/// The stretch of a fault or a block, as written to `run.json`.
fn named_stretch(stretch: &Stretch) -> Option<run::Stretch> {
    match stretch.layout.scope {
        Scope::All | Scope::Phase(_) => None,
        Scope::Fault(_) | Scope::Load(..) => {
            Some(run::Stretch { scope: stretch.layout.scope.name(), figures: stretch.figures() })
        }
    }
}

/// Connections that took an impostor for Redis; `None` if there was no impostor.
fn trusted(faults: &[FaultReport]) -> Option<u64> {
    faults.iter().filter_map(|fault| fault.trusted).reduce(|sum, more| sum + more)
}

fn fault(plan: &Plan, report: &FaultReport) -> run::Fault {
    let spec = plan.faults.get(report.index as usize);
    let waits = spec.and_then(|spec| spec.on.as_ref()?.state()).is_some();
    let by_hand = plan.cue != Cue::Scenario;
    // By hand, one that nobody started has no length.
    let is_planned = if by_hand { report.planned_for > 0 } else { !waits };
    run::Fault {
        index: report.index,
        name: windows::fault_name(plan, report),
        kind: report.kind.to_string(),
        detail: report.detail.clone(),
        hit: report.hit.clone(),
        planned_at_ms: report.planned_at as f64 / MILLI,
        planned_for_ms: is_planned.then_some(report.planned_for as f64 / MILLI),
        onset_ms: report.onset.map(|at| at as f64 / MILLI),
        end_ms: report.end.map(|at| at as f64 / MILLI),
        bit: report.bit,
        evidence: report.evidence.clone(),
        error: report.error.clone(),
        by_hand,
    }
}

/// Operations that were not ok, by cause, the most frequent first.
fn causes(ops: impl Iterator<Item = LoadOp>) -> Vec<CauseCount> {
    let mut counts: BTreeMap<(&'static str, Outcome), u64> = BTreeMap::new();
    for op in ops.filter(|op| op.outcome != Outcome::Ok) {
        // A user who is told that the session is missing asks where it is.
        let cause = if op.outcome == Outcome::Missing { "no-such-session" } else { op.cause.name() };
        *counts.entry((cause, op.outcome)).or_default() += 1;
    }
    let count = |((cause, outcome), count): ((&str, Outcome), u64)| {
        let cause = cause.to_owned();
        CauseCount { cause, outcome, count }
    };
    let mut causes: Vec<CauseCount> = counts.into_iter().map(count).collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

/// The machine's stalls that can excuse the target.
fn stalls(plan: &Plan, observed: &Observed) -> Vec<Stall> {
    if !generator::is_in_process(plan) {
        return observed.stalls.clone();
    }
    let held = observed.load.workers.iter().flat_map(|worker| {
        let denied = |from, to| observed.delays.of(worker.thread, from, to);
        worker.held.iter().map(move |&(from, to)| Held { from, to, denied: denied(from, to) })
    });
    beside(&observed.stalls, &held.collect::<Vec<_>>())
}

/// Redis's refusals: of load operations, and of operations that a fallback then answered.
fn refusals(load: &LoadSummary, history: &History) -> Vec<run::Refusal> {
    let mut all = load.refusals();
    for note in &history.notes {
        if let Note::Store { event: Event::Refused { answer, .. }, .. } = note {
            all.add(answer, 0);
        }
    }
    let refusal = |(code, answer, count): (&str, &str, u64)| run::Refusal {
        code: code.to_owned(),
        answer: answer.to_owned(),
        count,
    };
    all.iter().map(refusal).collect()
}

fn machine(stalls: &[Stall]) -> Machine {
    let stall = |stall: &Stall| run::Stall {
        from_ms: stall.from as f64 / MILLI,
        to_ms: stall.to as f64 / MILLI,
        denied_ms: stall.denied as f64 / MILLI,
    };
    Machine { stalls: stalls.iter().map(stall).collect() }
}
