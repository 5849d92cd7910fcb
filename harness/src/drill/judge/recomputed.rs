//! Recomputes every figure of a run from the history alone with the simplest code: sorted lists and loops over all
//! operations. On random histories both must agree.

use firedrill_reports::Run;
use firedrill_reports::run::{self, PhaseName};
use proptest::prelude::*;

use super::fixture::{Drill, MS, S, read};
use crate::clock::Nanos;
use crate::history::{Cause, History, OpKind, OpRecord, Outcome, Presence, Step};
use crate::measure::new_histogram;

const A: &str = "[[load]]\nname = \"a\"\nrate = \"50/s\"\nfor = \"6s\"\nsessions = 4\n";
const OPEN_B: &str = "[[load]]\nname = \"b\"\nrate = \"20/s\"\nfor = \"6s\"\nsessions = 4\n";
const CLOSED_B: &str = "[[load]]\nname = \"b\"\nusers = 1\nthink = \"50ms\"\nfor = \"6s\"\nsessions = 4\n";
const THINK: Nanos = 50 * MS;
const FAULTS: &str = "[[fault]]\nkind = \"proxy.down\"\nat = \"1s\"\nfor = \"1s\"\n\
                      [[fault]]\nkind = \"proxy.down\"\nat = \"3s\"\nfor = \"1s\"\n";
const END: Nanos = 6 * S;

/// An operation of either block, due at any time of the load, with any end, perhaps after the load.
fn operation() -> impl Strategy<Value = (u64, OpRecord)> {
    let outcome = prop_oneof![
        6 => Just((Outcome::Ok, Presence::Present, Cause::None)),
        2 => Just((Outcome::Ok, Presence::Absent, Cause::None)),
        1 => Just((Outcome::Degraded, Presence::Present, Cause::Fallback)),
        1 => Just((Outcome::Failed, Presence::Unsaid, Cause::Refused)),
        1 => Just((Outcome::Unknown, Presence::Unsaid, Cause::Timeout)),
    ];
    let kind = prop_oneof![4 => Just(OpKind::Read), 2 => Just(OpKind::Append), 1 => Just(OpKind::Destroy)];
    (0..2u64, 0..END, 0..300 * MS, MS..900 * MS, 0..6u32, outcome, kind).prop_map(
        |(block, planned, slip, service, session, (outcome, presence, cause), kind)| {
            let (started, ended) = (planned + slip, planned + slip + service);
            (block, OpRecord { started, ended, session, outcome, presence, cause, kind, ..read(planned) })
        },
    )
}

fn drill() -> impl Strategy<Value = Drill> {
    let windows = (200..1_500i64, 100..1_000i64, 0..1_500i64, 100..1_000i64);
    (prop::collection::vec(operation(), 0..250), windows, any::<bool>(), any::<bool>()).prop_map(
        |(ops, (at, first, gap, second), faulty, closed)| {
            let mut drill = Drill::of(&format!("{A}{}{FAULTS}", if closed { CLOSED_B } else { OPEN_B }));
            if faulty {
                let (from, to) = (at * MS, (at + first) * MS);
                drill = drill.fault(from, to).fault(to + gap * MS, to + (gap + second) * MS);
            }
            for session in 0..6 {
                let made = OpRecord { kind: OpKind::Create, step: Step::Preload, session, ..read(-S) };
                drill.ops.push(OpRecord { index: u64::from(session), presence: Presence::Unsaid, ..made });
            }
            for (block, op) in ops {
                drill.push(block, op);
            }
            drill
        },
    )
}

/// An operation, as the figures count it.
#[derive(Clone, Copy)]
struct Plain {
    op: OpRecord,
    outcome: run::Outcome,
    block: usize,
}

/// The load's operations. A session is missing if an answer denies it although it was created and no destroy that may
/// have ended it began before the answer; the lifetime is longer than the drill.
fn plain(drill: &Drill, history: &History) -> Vec<Plain> {
    let ops = &history.ops.ops;
    let shows = |op: &OpRecord| {
        let made = op.kind == OpKind::Create || (op.kind == OpKind::Append && op.presence != Presence::Absent);
        let found = op.kind == OpKind::Read && op.presence == Presence::Present;
        op.outcome.acknowledged() && (made || found)
    };
    let ends = |op: &OpRecord| op.kind == OpKind::Destroy && op.outcome != Outcome::Failed;
    let is_missing = |op: &OpRecord| {
        let same = |other: &&OpRecord| other.session == op.session;
        let proof = ops.iter().filter(same).filter(|other| shows(other) && other.ended < op.started);
        let Some(proof) = proof.map(|other| other.started).max() else { return false };
        let latest = |other: &OpRecord| if other.outcome == Outcome::Unknown { Nanos::MAX } else { other.ended };
        let destroyed =
            ops.iter().filter(same).any(|other| ends(other) && other.started <= op.ended && latest(other) >= proof);
        op.outcome.acknowledged() && op.presence == Presence::Absent && !destroyed
    };
    let streams = drill.plan.load.blocks().len() as u64;
    let plain = |op: &OpRecord| Plain {
        op: *op,
        outcome: if is_missing(op) { run::Outcome::Missing } else { op.outcome.into() },
        block: ((op.index - drill.plan.load.first_index()) % streams) as usize,
    };
    ops.iter().filter(|op| op.step == Step::Load).map(plain).collect()
}

/// The smallest of the sorted values that at least this share stays at or below.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted[rank - 1]
}

fn same(actual: f64, expected: f64) -> bool {
    // Histograms keep three significant digits.
    (actual - expected).abs() <= expected.abs() * 0.0011 + 0.0011
}

fn check_quantiles(actual: Option<run::Quantiles>, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let Some(actual) = actual else { return assert!(times.is_empty()) };
    let pairs = [(actual.p50, 0.5), (actual.p90, 0.9), (actual.p95, 0.95), (actual.p99, 0.99), (actual.p999, 0.999)];
    for (value, share) in pairs {
        assert!(same(value, quantile(&times, share)), "p{share}: {value} of {times:?}");
    }
    assert!(same(actual.max, times[times.len() - 1]) && same(actual.min, times[0]));
    assert!(same(actual.mean, times.iter().sum::<f64>() / times.len() as f64));
}

fn ms(t: Nanos) -> f64 {
    t as f64 / 1e6
}

/// How often the closed block's user sends while nothing is wrong: its pause plus the median service time of the
/// operations before the first fault, or of all operations if there are none before. `None` if both blocks are open.
fn interval(drill: &Drill, all: &[Plain], onset: Option<Nanos>) -> Option<Nanos> {
    drill.plan.scenario.load[1].users?;
    let services = |until: Nanos| {
        let own = all.iter().filter(|plain| plain.block == 1 && plain.op.ended < until);
        let mut services: Vec<f64> = own.map(|plain| (plain.op.ended - plain.op.started) as f64).collect();
        services.sort_by(f64::total_cmp);
        services
    };
    let quiet = services(onset.unwrap_or(Nanos::MAX));
    let services = if quiet.is_empty() { services(Nanos::MAX) } else { quiet };
    // A histogram returns the highest value that it cannot tell from the recorded one.
    let median = |services: &[f64]| new_histogram().highest_equivalent(quantile(services, 0.5) as u64) as Nanos;
    Some(THINK + if services.is_empty() { 0 } else { median(&services) })
}

/// The response times, plus one for each operation that the closed block's user would have sent while it waited.
fn corrected(mine: &[Plain], interval: Nanos) -> Vec<f64> {
    let mut times = Vec::new();
    for plain in mine {
        let response = plain.op.ended - plain.op.planned;
        times.push(ms(response));
        let unsent = (1..).map(|number| response - number * interval).take_while(|unsent| *unsent >= interval);
        times.extend(unsent.filter(|_| plain.block == 1).map(ms));
    }
    times
}

/// Checks the reported figures of a stretch against those operations of `all` that belong to it.
fn check_figures(
    figures: &run::Figures,
    all: &[Plain],
    mine: &[Plain],
    windows: &[(Nanos, Nanos)],
    interval: Option<Nanos>,
) {
    check_quantiles(figures.corrected, interval.map_or(Vec::new(), |interval| corrected(mine, interval)));
    let count = |outcome| mine.iter().filter(|plain| plain.outcome == outcome).count() as u64;
    for outcome in run::Outcome::ALL {
        assert_eq!(figures.outcomes.of(outcome), count(outcome), "{}", outcome.name());
    }
    assert_eq!(figures.ops, mine.len() as u64);
    let errors = count(run::Outcome::Failed) + count(run::Outcome::Unknown);
    assert!(same(figures.error_rate, errors as f64 / mine.len().max(1) as f64));
    let answered = |plain: &&Plain| !matches!(plain.outcome, run::Outcome::Failed | run::Outcome::Unknown);
    let ended = |plain: &&Plain| windows.iter().any(|(from, to)| *from <= plain.op.ended && plain.op.ended < *to);
    let acknowledged = all.iter().filter(answered).filter(ended).count();
    let seconds: f64 = windows.iter().map(|(from, to)| (to - from) as f64 / 1e9).sum();
    assert!(same(figures.rate, acknowledged as f64 / seconds), "{} is not {acknowledged} in {seconds}", figures.rate);
    check_quantiles(figures.response, mine.iter().map(|plain| ms(plain.op.ended - plain.op.planned)).collect());
}

/// When the target was steady again: at the fault's end or at the first planned operation after which every operation of
/// the load is ok or missing, with at least a second of load left.
fn recovered(plain: &[Plain], end: Nanos) -> Option<Nanos> {
    let bad = |plain: &&Plain| !matches!(plain.outcome, run::Outcome::Ok | run::Outcome::Missing);
    let planned = plain.iter().map(|plain| plain.op.planned).filter(|at| (end..END).contains(at));
    let mut starts: Vec<Nanos> = std::iter::once(end).chain(planned).collect();
    starts.sort_unstable();
    starts.into_iter().find(|from| {
        let rest: Vec<&Plain> = plain.iter().filter(|plain| (*from..END).contains(&plain.op.planned)).collect();
        from + S <= END && !rest.is_empty() && !rest.iter().any(&bad)
    })
}

fn check(drill: &Drill, run: &Run) {
    let history = drill.history();
    let all = plain(drill, &history);

    // The course.
    let onset = drill.faults.iter().filter_map(|fault| fault.began).min();
    let end = drill.faults.iter().filter_map(|fault| fault.end).max();
    let steady = end.and_then(|end| recovered(&all, end));
    let interval = interval(drill, &all, onset);
    assert_eq!(run.recovered_at_ms, steady.map(ms));
    assert_eq!(run.recovery_ms.is_some(), steady.is_some());
    assert_eq!(run.load_seconds, 6.0);

    // The phases.
    let mut cuts = vec![(PhaseName::Before, 0, onset.unwrap_or(END))];
    if let (Some(onset), Some(end)) = (onset, end) {
        let again = steady.unwrap_or(END);
        cuts.extend([
            (PhaseName::During, onset, end),
            (PhaseName::Recovery, end, again),
            (PhaseName::After, again, END),
        ]);
    }
    cuts.retain(|(_, from, to)| from < to);
    assert_eq!(
        run.phases.iter().map(|phase| phase.name).collect::<Vec<_>>(),
        cuts.iter().map(|cut| cut.0).collect::<Vec<_>>()
    );
    let belongs = |plain: &Plain, from: Nanos, to: Nanos| {
        let caught = onset.filter(|onset| plain.op.planned < *onset && plain.op.ended > *onset);
        let instant = caught.unwrap_or(plain.op.planned);
        from <= instant && instant < to
    };
    for (phase, (_, from, to)) in run.phases.iter().zip(&cuts) {
        let mine: Vec<Plain> = all.iter().copied().filter(|plain| belongs(plain, *from, *to)).collect();
        assert_eq!((phase.figures.from_ms, phase.figures.to_ms), (ms(*from), ms(*to)));
        check_figures(&phase.figures, &all, &mine, &[(*from, *to)], interval);
        for row in &phase.operations {
            let same_row = |plain: &&Plain| plain.op.kind.name() == row.op && plain.outcome == row.outcome;
            let ops: Vec<OpRecord> = mine.iter().filter(same_row).map(|plain| plain.op).collect();
            assert_eq!(row.count, ops.len() as u64);
            check_quantiles(Some(row.service), ops.iter().map(|op| ms(op.ended - op.started)).collect());
            check_quantiles(Some(row.slip), ops.iter().map(|op| ms(op.started - op.planned)).collect());
            check_quantiles(Some(row.response), ops.iter().map(|op| ms(op.ended - op.planned)).collect());
        }
        assert_eq!(phase.operations.iter().map(|row| row.count).sum::<u64>(), mine.len() as u64);
    }

    // Faults and blocks.
    for stretch in &run.stretches {
        let words: Vec<&str> = stretch.scope.split('.').collect();
        match words.as_slice() {
            ["fault", number] => {
                let fault = &drill.faults[number.parse::<usize>().unwrap()];
                let window = (fault.began.unwrap(), fault.end.unwrap());
                let hit = |plain: &&Plain| {
                    let within = window.0 <= plain.op.planned && plain.op.planned < window.1;
                    within || (plain.op.planned < window.0 && plain.op.ended > window.0)
                };
                let mine: Vec<Plain> = all.iter().filter(hit).copied().collect();
                check_figures(&stretch.figures, &all, &mine, &[window], interval);
            }
            ["load", name, phase @ ..] => {
                let block = usize::from(*name == "b");
                let (from, to) = match phase {
                    [phase] => cuts.iter().find(|cut| cut.0.name() == *phase).map(|cut| (cut.1, cut.2)).unwrap(),
                    _ => (0, END),
                };
                let own: Vec<Plain> = all.iter().copied().filter(|plain| plain.block == block).collect();
                let mine = own
                    .iter()
                    .copied()
                    .filter(|plain| phase.is_empty() || belongs(plain, from, to))
                    .collect::<Vec<_>>();
                check_figures(&stretch.figures, &own, &mine, &[(from, to)], interval);
            }
            other => panic!("{other:?}"),
        }
    }

    // The timeline.
    let width = 200 * MS;
    for (number, bucket) in run.timeline.buckets.iter().enumerate() {
        let (from, to) = (number as Nanos * width, (number as Nanos + 1) * width);
        let planned: Vec<&Plain> = all.iter().filter(|plain| (from..to).contains(&plain.op.planned)).collect();
        assert_eq!(bucket.planned, planned.len() as u64);
        for outcome in run::Outcome::ALL {
            let ended = |plain: &&Plain| plain.outcome == outcome && (from..to).contains(&plain.op.ended);
            assert_eq!(bucket.outcomes.of(outcome), all.iter().filter(ended).count() as u64);
        }
        let longest = planned.iter().map(|plain| ms(plain.op.ended - plain.op.planned)).fold(0.0, f64::max);
        assert!(same(bucket.response.map_or(0.0, |response| response.max), longest));
    }
    assert!(all.iter().all(|plain| plain.op.ended < run.timeline.buckets.len() as Nanos * width));

    // The generator.
    let in_time = all.iter().filter(|plain| plain.op.ended < END).count() as u64;
    let asked = interval.is_none().then_some(70.0);
    assert_eq!((run.generator.in_time, run.generator.target_rate), (in_time, asked));
    assert!(same(run.generator.delivered_rate, in_time as f64 / 6.0));

    // Operations that were not ok, by cause, and missing sessions.
    let not_ok = all.iter().filter(|plain| plain.outcome != run::Outcome::Ok).count() as u64;
    assert_eq!(run.errors.iter().map(|cause| cause.count).sum::<u64>(), not_ok);
    for cause in &run.errors {
        let name = |plain: &Plain| match plain.outcome {
            run::Outcome::Missing => "no-such-session",
            _ => plain.op.cause.name(),
        };
        let matches = |plain: &&Plain| plain.outcome == cause.outcome && name(plain) == cause.cause;
        assert_eq!(cause.count, all.iter().filter(matches).count() as u64);
    }
    let reads = |plain: &&Plain| plain.outcome == run::Outcome::Missing && plain.op.kind == OpKind::Read;
    assert_eq!(run.store.missing.reads, all.iter().filter(reads).count() as u64);

    // The curves end at the slowest operation.
    for curve in &run.percentile_curves {
        let of_kind = |plain: &&Plain| curve.op.as_deref().is_none_or(|kind| plain.op.kind.name() == kind);
        let (_, from, to) = cuts.iter().find(|cut| cut.0 == curve.phase).unwrap();
        let times = all.iter().filter(of_kind).filter(|plain| belongs(plain, *from, *to));
        let times: Vec<f64> = times.map(|plain| ms(plain.op.ended - plain.op.planned)).collect();
        assert_eq!(curve.count, times.len() as u64);
        assert!(same(curve.points.last().unwrap().response_ms, times.into_iter().fold(0.0, f64::max)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_figure_is_what_plain_code_finds_in_the_history(drill in drill()) {
        check(&drill, &drill.run());
    }
}
