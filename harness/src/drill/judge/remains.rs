//! Judges a killed drill from its history alone. The generator's state is unknown, no gate was judged, and anything may
//! have gone wrong outside the history: the verdict is inconclusive, unless the history itself proves a failure.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use firedrill_reports::Run;
use firedrill_reports::run::{self, CheckVerdict, Scenario, Verdict};
use firedrill_reports::text::{counted, rfc3339};

use super::{BUCKET, MILLI, causes, checks, phases, windows};
use crate::check::{self, of_incomplete};
use crate::clock::Nanos;
use crate::history::{History, HistoryError, Note, OpRecord, Step, Tail};
use crate::measure::{Cut, Layout, Load, Scope, Window, store_events, timeline};

/// Builds the record of the drill whose history is at `path`, as completely as the history allows.
///
/// # Errors
/// If there is no history, or it cannot be read.
pub fn remains(path: &Path) -> Result<Run, HistoryError> {
    let (history, tail) = History::load(path)?;
    Ok(of(&history, &tail))
}

fn of(history: &History, tail: &Tail) -> Run {
    let missing = check::missing(history);
    let load = Load::new(&history.ops.ops, &missing, &|_| 0);
    let (fallback, store) = store_events(history, &missing);
    let loaded = || history.ops.ops.iter().filter(|op| op.step == Step::Load);
    let end: Nanos = loaded().map(|op: &OpRecord| op.ended).max().unwrap_or(0);
    let disturbed = disturbed(&history.notes, end);
    let layout = |window: Window| Layout {
        scope: Scope::Phase(window.phase),
        windows: vec![(window.from, window.to)],
        block: None,
    };
    let layouts = windows::phases(disturbed, None, end).into_iter().map(layout).collect();
    let cut = Cut { layouts, onset: disturbed.map(|(onset, _)| onset), ..Cut::default() };
    let stretches = cut.measure(load.ops());

    let findings = check::check_all(history, check::all(), &check::Budget::default());
    let incomplete = findings.into_iter().zip(check::all()).map(|((name, finding), checker)| {
        let facts = checker.facts();
        checks::record(&facts, name, of_incomplete(finding, &facts), true, &|_| None)
    });
    let checks: Vec<run::Check> = incomplete.collect();

    let whole = match tail {
        Tail::Complete => "its history is complete".to_owned(),
        Tail::Unfinished => "its history ends where it was killed".to_owned(),
        Tail::Cut { bytes, .. } => {
            format!("its history ends where it was killed, {} of it torn", counted(*bytes, "byte"))
        }
    };
    let wrong = checks.iter().filter(|check| check.verdict == CheckVerdict::Invalid);
    let mut reasons: Vec<String> = wrong.map(|check| format!("check {}: {}", check.name, check.summary)).collect();
    let verdict = if reasons.is_empty() { Verdict::Inconclusive } else { Verdict::Failed };
    reasons.push(format!("the drill was killed before it was judged; {whole}: no gate was judged"));

    let header = &history.header;
    Run {
        firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: Scenario { name: header.scenario.clone(), ..Scenario::default() },
        verdict,
        reasons,
        exit_status: verdict.exit_status(),
        seed: header.seed,
        started_at: rfc3339(UNIX_EPOCH + Duration::from_millis(header.epoch_ms.unsigned_abs())),
        load_seconds: end as f64 / 1e9,
        phases: phases(&stretches).map(|(name, stretch)| stretch.phase(name)).collect(),
        percentile_curves: phases(&stretches).flat_map(|(name, stretch)| stretch.curves(name)).collect(),
        timeline: timeline(load.ops(), end, BUCKET),
        errors: causes(load.ops()),
        checks,
        faults: faults(&history.notes),
        fallback,
        store,
        ..Run::default()
    }
}

/// From the first fault until the last one was undone, or until the history ends.
fn disturbed(notes: &[Note], end: Nanos) -> Option<(Nanos, Nanos)> {
    let onset = notes.iter().filter(|note| matches!(note, Note::FaultOn { .. })).map(Note::at).min()?;
    let on = notes.iter().filter(|note| matches!(note, Note::FaultOn { .. })).count();
    let off: Vec<Nanos> = notes.iter().filter(|note| matches!(note, Note::FaultOff { .. })).map(Note::at).collect();
    let over = if off.len() < on { end } else { off.into_iter().max().unwrap_or(end) };
    Some((onset, over.max(onset)))
}

/// The faults that took hold. Their targets are unknown: only the drill knew them.
fn faults(notes: &[Note]) -> Vec<run::Fault> {
    let on = notes.iter().filter_map(|note| match note {
        Note::FaultOn { at, fault, kind } => Some((*at, *fault, kind.clone())),
        _ => None,
    });
    on.map(|(at, fault, kind)| {
        let off = notes.iter().find_map(|note| match note {
            Note::FaultOff { at: off, fault: same, .. } if *same == fault && *off >= at => Some(*off as f64 / MILLI),
            _ => None,
        });
        run::Fault {
            index: fault,
            name: fault.to_string(),
            kind,
            planned_at_ms: at as f64 / MILLI,
            onset_ms: Some(at as f64 / MILLI),
            end_ms: off,
            evidence: "the drill was killed before it looked".to_owned(),
            ..run::Fault::default()
        }
    })
    .collect()
}
