//! Whether the load generator delivered. It answers only for itself and its machine: for lanes that ran out although
//! the target was as fast as ever, and for threads that were short of CPU. A target that does not answer fills every
//! lane too, but that is the target's doing.

use firedrill_reports::run::{Generator, PhaseName};
use firedrill_reports::text;
use hdrhistogram::Histogram;

use super::observed::Observed;
use super::windows::Course;
use crate::clock::Nanos;
use crate::load::Saturation;
use crate::measure::{Excuse, Load, LoadOp, new_histogram};
use crate::plan::Plan;
use crate::target::Ability;

const MILLI: f64 = 1e6;

/// Lanes ran out if more than this share of the operations waited for lanes that a healthy target kept busy.
const WAITING_SHARE: f64 = 0.01;

/// Without a configured limit, service is steady up to this multiple of what was usual while lanes were free.
const STEADY_FACTOR: f64 = 3.0;

/// An operation sent this long after it was due is late, in nanoseconds.
const LATE: Nanos = 10_000_000;

pub(super) fn generator(
    plan: &Plan,
    observed: &Observed,
    load: &Load<'_>,
    course: &Course,
    excuse: &Excuse,
) -> Generator {
    let summary = &observed.load;
    let counts = &summary.counts;
    let seconds = (course.load_end as f64 / 1e9).max(1e-9);
    let expected = plan.load.expected(course.load_end);
    let in_time = load.ops().filter(|op| op.ended < course.load_end).count() as u64;
    let mut slip = new_histogram();
    load.ops().for_each(|op| slip.saturating_record((op.started - op.planned).max(0) as u64));
    let wall: f64 = summary.workers.iter().map(|worker| worker.wall.as_secs_f64()).sum();

    let signs = summary.saturation();
    let short_of_cpu = expected.is_some() && signs.iter().any(|sign| disqualifies(sign, plan, load, excuse));
    let blocked = is_in_process(plan) && signs.iter().any(is_late) && late_anyway(load, excuse);
    let lanes = lanes_ran_out(plan, observed, load, course).filter(|_| !blocked);
    let mut notes: Vec<String> = signs.iter().map(says).collect();
    notes.extend(lanes.clone());
    notes.extend(observed.remarks.iter().cloned());
    Generator {
        target_rate: expected.map(|operations| operations / seconds),
        delivered_rate: in_time as f64 / seconds,
        planned: counts.planned,
        started: counts.started,
        completed: counts.completed,
        in_time,
        dropped: counts.dropped,
        abandoned: counts.abandoned,
        max_slip_ms: summary.max_slip().as_secs_f64() * 1e3,
        p99_slip_ms: slip.value_at_quantile(0.99) as f64 / MILLI,
        cpu_percent: (wall > 0.0).then(|| summary.cpu().as_secs_f64() / wall * 100.0),
        cores: summary.workers.len() as u32,
        saturated: short_of_cpu || lanes.is_some(),
        note: notes.join("; "),
    }
}

/// Whether the target is a store in this process. If such a store burns or blocks the load's threads, that is its own
/// fault: late operations, and others that wait for a lane as a result, excuse nothing unless the machine kept the
/// threads waiting.
pub(super) fn is_in_process(plan: &Plan) -> bool {
    let kind = plan.scenario.target.kind;
    !kind.abilities().contains(&Ability::Process) && !kind.is_only_a_client()
}

fn is_late(sign: &Saturation) -> bool {
    matches!(sign, Saturation::Late { .. })
}

/// Whether a sign shows that the generator was short of CPU.
fn disqualifies(sign: &Saturation, plan: &Plan, load: &Load<'_>, excuse: &Excuse) -> bool {
    match sign {
        Saturation::Cpu { .. } => !is_in_process(plan),
        Saturation::Late { .. } => sign.disqualifies() && (!is_in_process(plan) || !late_anyway(load, excuse)),
    }
}

/// Whether most of the late operations would have been late even without the machine's stalls.
fn late_anyway(load: &Load<'_>, excuse: &Excuse) -> bool {
    let (mut late, mut anyway) = (0u64, 0u64);
    for op in load.ops().filter(|op| op.started - op.planned > LATE) {
        late += 1;
        let denied = excuse.denied(op.planned, op.started);
        anyway += u64::from(op.started - op.planned - denied > LATE);
    }
    anyway * 2 > late
}

fn says(sign: &Saturation) -> String {
    match sign {
        Saturation::Late { share } => format!("{} of the operations were released late", text::percent(*share)),
        Saturation::Cpu { worker, share } => {
            format!("load thread {worker} was busy {} of a second", text::percent(*share))
        }
    }
}

/// Why lanes ran out through the generator's own fault: operations waited for one outside of faults and recoveries,
/// while the target answered within its steady range.
fn lanes_ran_out(plan: &Plan, observed: &Observed, load: &Load<'_>, course: &Course) -> Option<String> {
    let quiet = |at: Nanos| {
        let sound = |phase| matches!(phase, PhaseName::Before | PhaseName::After);
        course.phases.iter().any(|window| sound(window.phase) && (window.from..window.to).contains(&at))
    };
    let full = observed.load.workers.iter().flat_map(|worker| worker.lanes_full.iter().copied());
    let full: Vec<(Nanos, Nanos)> = full.filter(|(from, _)| quiet(*from)).collect();
    if full.is_empty() {
        return None;
    }
    let while_full = |op: &LoadOp| full.iter().any(|(from, to)| (*from..*to).contains(&op.planned));
    let (mut busy, mut usual, mut waited, mut total) = (new_histogram(), new_histogram(), 0u64, 0u64);
    for op in load.ops() {
        total += 1;
        let service = (op.ended - op.started).max(0) as u64;
        if while_full(&op) {
            waited += 1;
            busy.saturating_record(service);
        } else if quiet(op.planned) {
            usual.saturating_record(service);
        }
    }
    let p95 = |histogram: &Histogram<u64>| histogram.value_at_quantile(0.95) as f64;
    let steady = match plan.scenario.steady.p95 {
        Some(limit) => limit.nanos() as f64,
        None if usual.is_empty() => f64::INFINITY,
        None => p95(&usual) * STEADY_FACTOR,
    };
    let share = (waited + observed.load.counts.dropped) as f64 / total.max(1) as f64;
    (share > WAITING_SHARE && p95(&busy) <= steady).then(|| {
        format!(
            "{} of the operations waited for one of {} lanes while the target answered as usual (service p95 {}): give it \
             more with target.connections",
            text::percent(share.min(1.0)),
            plan.scenario.target.connections,
            text::millis(p95(&busy) / MILLI),
        )
    })
}
