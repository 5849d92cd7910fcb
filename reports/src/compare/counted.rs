//! What a run has once: verdicts of checks and gates, losses, the time to recover. One value has no interval. Several runs
//! on a side give one.

use super::model::{Change, Group, Row};
use super::verdict::{self, Band};
use crate::run::{Check, CheckVerdict, Gate, GateVerdict, Run, Unit};
use crate::text;

/// One recovery per run is called another only if it is twice as long or half as long, and ...
const RECOVERY_FACTOR: f64 = 2.0;

/// ... differs by this much, in milliseconds: reconnecting clients wait between attempts, and where in that wait a fault ends
/// is chance.
const RECOVERY_LEAST_MS: f64 = 1_000.0;

/// Recoveries that differ by less are the same, in milliseconds: the scenario's operations are not closer together.
const RECOVERY_SAME_MS: f64 = 100.0;

const ONE_VALUE: &str = "one value per run has no interval: compare several runs";

/// The rows for what `before` and `now` have once per run.
pub(super) fn rows(before: &[&Run], now: &[&Run], confidence: f64, margin: f64) -> Vec<Row> {
    let mut rows = checks(before, now);
    rows.extend(losses(before, now, confidence, margin));
    rows.extend(gates(before, now));
    rows.extend(recovery(before, now, confidence, margin));
    rows
}

/// How many rows of [`rows`] may have an interval.
pub(super) fn intervals(before: &[&Run], now: &[&Run]) -> usize {
    let any = |run: &&Run| run.recovery_ms.is_some();
    LOSSES.len() + usize::from(before.iter().chain(now).any(any))
}

/// Whether something held: in all runs of a side, in none, or in some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    All,
    Some,
    None,
}

fn held(values: &[bool]) -> Held {
    match values.iter().filter(|held| **held).count() {
        all if all == values.len() => Held::All,
        0 => Held::None,
        _ => Held::Some,
    }
}

fn change(before: Held, now: Held) -> Change {
    match (before, now) {
        (one, other) if one == other => Change::Unchanged,
        (Held::All, _) => Change::Regressed,
        (_, Held::All) if before == Held::None => Change::Improved,
        _ => Change::Unclear,
    }
}

/// How often each word occurs: `pass`, or `2 pass, 1 fail` for several runs.
fn words(words: &[&str]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for word in words {
        match counts.iter_mut().find(|(seen, _)| seen == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    match counts.as_slice() {
        [] => "–".to_owned(),
        [(word, _)] => (*word).to_owned(),
        several => several.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", "),
    }
}

fn checks(before: &[&Run], now: &[&Run]) -> Vec<Row> {
    let Some(newest) = now.last() else { return Vec::new() };
    newest.checks.iter().filter(|check| check.counts).map(|check| compared_check(&check.name, before, now)).collect()
}

fn compared_check(name: &str, before: &[&Run], now: &[&Run]) -> Row {
    let of = |runs: &[&Run]| -> Vec<Check> {
        runs.iter().filter_map(|run| run.checks.iter().find(|check| check.name == name).cloned()).collect()
    };
    let (one, other) = (of(before), of(now));
    let says = |checks: &[Check]| {
        let offences: u64 = checks.iter().fold(0, |sum, check| sum.saturating_add(check.offences));
        let verdicts: Vec<&str> = checks.iter().map(|check| check.verdict.name()).collect();
        match offences {
            0 => words(&verdicts),
            offences => format!("{} ({})", words(&verdicts), text::counted(offences, "offence")),
        }
    };
    let tells = |check: &Check| check.verdict != CheckVerdict::Unknown && !check.vacuous();
    let valid = |checks: &[Check]| checks.iter().map(|check| check.verdict == CheckVerdict::Valid).collect::<Vec<_>>();
    let row = Row { before: says(&one), now: says(&other), ..verdict::row(Group::Checks, name) };
    if one.is_empty() || !one.iter().chain(&other).all(tells) {
        let note =
            if one.is_empty() { "the baseline did not judge it" } else { "it had nothing to judge, or cannot tell" };
        return Row { change: Change::NotComparable, note: note.to_owned(), ..row };
    }
    let change = change(held(&valid(&one)), held(&valid(&other)));
    let more = other.iter().map(|check| check.offences).max() > one.iter().map(|check| check.offences).max();
    if change == Change::Unchanged && more {
        return Row { change: Change::Unclear, note: ONE_VALUE.to_owned(), ..row };
    }
    Row { change, ..row }
}

fn gates(before: &[&Run], now: &[&Run]) -> Vec<Row> {
    let Some(newest) = now.last() else { return Vec::new() };
    newest.gates.iter().map(|gate| compared_gate(gate, before, now)).collect()
}

fn compared_gate(gate: &Gate, before: &[&Run], now: &[&Run]) -> Row {
    let of = |runs: &[&Run]| -> Vec<Gate> {
        runs.iter().filter_map(|run| run.gates.iter().find(|other| other.name == gate.name).cloned()).collect()
    };
    let (one, other) = (of(before), of(now));
    let says = |gates: &[Gate]| match gates {
        [gate] => format!("{} ({})", gate.verdict.name(), gate.actual_text),
        gates => words(&gates.iter().map(|gate| gate.verdict.name()).collect::<Vec<_>>()),
    };
    let row = Row { before: says(&one), now: says(&other), ..verdict::row(Group::Gates, &gate.name) };
    let refused = match () {
        () if one.is_empty() => "the baseline has no such gate".to_owned(),
        () if one.iter().any(|old| old.limit != gate.limit) => {
            let old = one.iter().find(|old| old.limit != gate.limit).map_or("", |old| &old.limit);
            format!("another limit: {old} → {}", gate.limit)
        }
        () if one.iter().chain(&other).any(|gate| gate.verdict == GateVerdict::Unknown) => "not measured".to_owned(),
        () => {
            let passed =
                |gates: &[Gate]| gates.iter().map(|gate| gate.verdict == GateVerdict::Pass).collect::<Vec<_>>();
            return Row { change: change(held(&passed(&one)), held(&passed(&other))), ..row };
        }
    };
    Row { change: Change::NotComparable, note: refused, ..row }
}

/// A loss: its name, and how many a run has.
type Loss = (&'static str, fn(&Run) -> u64);

/// The losses, in the order in which they are shown.
const LOSSES: [Loss; 5] = [
    ("sessions-lost", |run| run.fallback.sessions_lost),
    ("items-lost", |run| run.fallback.drained.lost.saturating_add(run.store.carried_over.lost)),
    ("sessions-evicted", |run| run.store.evicted),
    ("writes-dropped", |run| run.store.dropped),
    ("reads-missing", |run| run.store.missing.reads),
];

fn losses(before: &[&Run], now: &[&Run], confidence: f64, margin: f64) -> Vec<Row> {
    let row = |(name, of): Loss| {
        let count = |runs: &[&Run]| runs.iter().map(|run| of(run) as f64).collect::<Vec<_>>();
        let (one, other) = (count(before), count(now));
        let zero = |counts: &[f64]| counts.iter().all(|count| *count <= 0.0);
        let shown = |counts: &[f64]| text::number(verdict::mean(counts));
        let row =
            Row { unit: Some(Unit::Count), before: shown(&one), now: shown(&other), ..verdict::row(Group::Loss, name) };
        match (zero(&one), zero(&other)) {
            (true, true) => Row { change: Change::Unchanged, ..row },
            (true, false) => Row { change: Change::Regressed, note: "nothing was lost before".to_owned(), ..row },
            (false, true) => Row { change: Change::Improved, note: "nothing is lost now".to_owned(), ..row },
            (false, false) => {
                // In shares of the baseline's mean.
                let scaled =
                    |counts: &[f64]| counts.iter().map(|count| count / verdict::mean(&one)).collect::<Vec<_>>();
                let band = Band { least: -margin, most: margin };
                match verdict::of_runs(&scaled(&one), &scaled(&other), confidence, margin) {
                    Some(interval) => Row { interval: Some(interval), change: band.judge(&interval, false), ..row },
                    None if one == other => Row { change: Change::Unchanged, ..row },
                    None => Row { change: Change::Unclear, note: ONE_VALUE.to_owned(), ..row },
                }
            }
        }
    };
    let lost = |run: &&Run| LOSSES.iter().any(|(_, of)| of(run) > 0);
    // Without any loss, one line says so.
    let shown = if before.iter().chain(now).any(lost) { LOSSES.len() } else { 1 };
    let all = LOSSES.into_iter().take(shown).map(row);
    all.filter(|row| row.name == LOSSES[0].0 || row.before != "0" || row.now != "0").collect()
}

fn recovery(before: &[&Run], now: &[&Run], confidence: f64, margin: f64) -> Option<Row> {
    let judged = |run: &&&Run| !run.faults.is_empty();
    let times = |runs: &[&Run]| -> (Vec<f64>, Held) {
        let faulted: Vec<&&Run> = runs.iter().filter(judged).collect();
        let recovered: Vec<bool> = faulted.iter().map(|run| run.recovery_ms.is_some()).collect();
        (faulted.iter().filter_map(|run| run.recovery_ms).collect(), held(&recovered))
    };
    if !before.iter().chain(now).any(|run| !run.faults.is_empty()) {
        return None;
    }
    let ((one, one_held), (other, other_held)) = (times(before), times(now));
    let shown = |times: &[f64]| if times.is_empty() { "never".to_owned() } else { text::millis(verdict::mean(times)) };
    let row = Row {
        unit: Some(Unit::Milliseconds),
        before: shown(&one),
        now: shown(&other),
        ..verdict::row(Group::Recovery, "recovery")
    };
    if (one_held, other_held) != (Held::All, Held::All) {
        let note = "whether the target recovered within the load".to_owned();
        return Some(Row { change: change(one_held, other_held), note, ..row });
    }
    // A recovery of 0 has no logarithm; nothing is resolved below a millisecond.
    let logs = |times: &[f64]| times.iter().map(|ms| ms.max(1.0).ln()).collect::<Vec<_>>();
    let band = Band::ratio(margin);
    if let Some(between) = verdict::of_runs(&logs(&one), &logs(&other), confidence, margin) {
        let close = (verdict::mean(&other) - verdict::mean(&one)).abs() <= RECOVERY_SAME_MS;
        let change = band.judge(&between, false);
        // A percentage of a few milliseconds is not a change that anyone sees.
        let change = if close && change != Change::Unclear { Change::Unchanged } else { change };
        return Some(Row { interval: Some(verdict::from_logs(between)), change, ..row });
    }
    let (a, b) = (verdict::mean(&one), verdict::mean(&other));
    let apart = (b - a).abs();
    let (change, note) = match () {
        () if apart <= RECOVERY_SAME_MS => (Change::Unchanged, ""),
        () if apart < RECOVERY_LEAST_MS => (Change::Unclear, ONE_VALUE),
        () if b >= a * RECOVERY_FACTOR => (Change::Regressed, "more than twice as long, and by more than 1 s"),
        () if a >= b * RECOVERY_FACTOR => (Change::Improved, "less than half as long, and by more than 1 s"),
        () => (Change::Unclear, ONE_VALUE),
    };
    Some(Row { change, note: note.to_owned(), ..row })
}
