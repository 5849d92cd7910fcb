//! Judges the history in a file, in parts if it does not fit into memory at once.

use std::path::Path;
use std::time::Instant;

use super::index::Index;
use super::run::{check_all, new_tallies, tally_history, tally_sessions};
use super::tally::Tally;
use super::{Budget, Facts, Finding, SessionChecker, Verdict};
use crate::history::{Header, History, HistoryError, Part, Tail};

/// More parts would not help: then a single user's share is too large.
const MOST_PARTS: u32 = 4096;

/// The verdicts on a file.
#[derive(Debug)]
pub struct Judgement {
    /// The history's header.
    pub header: Header,
    /// How the file ends.
    pub tail: Tail,
    /// The number of operations.
    pub operations: u64,
    /// The number of parts in which it was judged.
    pub parts: u32,
    /// The checkers' findings, in their order. An incomplete history is "unknown" at best.
    pub findings: Vec<(&'static str, Finding)>,
}

/// Runs all `checkers` on the history at `path` in at most about `room` bytes of memory, in as many parts, divided by
/// user, as that takes. `budget.time` applies to all parts together, excluding the time for reading them.
///
/// # Errors
/// The errors of [`History::load`]. [`HistoryError::NoRoom`] only if not even one user's operations fit.
pub fn check_file(
    path: &Path,
    checkers: &[&'static dyn SessionChecker],
    budget: &Budget,
    room: u64,
) -> Result<Judgement, HistoryError> {
    let mut parts = 1;
    loop {
        match in_parts(path, checkers, budget, room, parts) {
            Err(HistoryError::NoRoom { needed, room, .. }) if parts < MOST_PARTS => {
                let times = (needed as f64 / room.max(1) as f64 * 1.1).ceil().clamp(2.0, f64::from(MOST_PARTS));
                parts = parts.saturating_mul(times as u32).min(MOST_PARTS);
            }
            judged => return judged,
        }
    }
}

fn in_parts(
    path: &Path,
    checkers: &[&'static dyn SessionChecker],
    budget: &Budget,
    room: u64,
    parts: u32,
) -> Result<Judgement, HistoryError> {
    let mut tallies = new_tallies(checkers, budget);
    let header = History::load_header(path)?;
    let (mut tail, mut operations) = (Tail::Complete, 0);
    let mut budget = *budget;
    for at in 0..parts {
        let history;
        (history, tail) = History::load_part(path, Part { at, of: parts }, room)?;
        operations += history.ops.ops.len() as u64;
        let began = Instant::now();
        let mut index = Index::of(&history);
        index.part = parts > 1;
        if at == 0 {
            tally_history(&index, checkers, &mut tallies);
        }
        let mut part = tally_sessions(&index, checkers, &budget, began);
        let missed = index.not_found();
        if parts > 1 && !missed.is_empty() {
            // Tokens that may belong to operations in other parts; in a sound history there are none.
            index.add_strangers(History::load_writes(path, &missed)?);
            part = tally_sessions(&index, checkers, &budget, began);
        }
        budget.time = budget.time.saturating_sub(began.elapsed());
        tallies.iter_mut().zip(part).for_each(|(tally, of_part)| tally.merge(of_part));
    }
    Ok(judgement(header, tail, operations, parts, checkers, tallies))
}

/// Runs all `checkers` on a complete `history`.
pub fn check_history(history: History, checkers: &[&'static dyn SessionChecker], budget: &Budget) -> Judgement {
    let operations = history.ops.ops.len() as u64;
    let findings = check_all(&history, checkers, budget);
    Judgement { header: history.header, tail: Tail::Complete, operations, parts: 1, findings }
}

fn judgement(
    header: Header,
    tail: Tail,
    operations: u64,
    parts: u32,
    checkers: &[&'static dyn SessionChecker],
    tallies: Vec<Tally>,
) -> Judgement {
    let finding = |(checker, tally): (&&'static dyn SessionChecker, Tally)| {
        let (facts, finding) = (checker.facts(), tally.finding());
        (facts.name, if tail == Tail::Complete { finding } else { of_incomplete(finding, &facts) })
    };
    let findings = checkers.iter().zip(tallies).map(finding).collect();
    Judgement { header, tail, operations, parts, findings }
}

/// Adjusts a finding for an incomplete history: a missing operation may explain what looks wrong, and what looks right
/// may have gone wrong later.
pub(crate) fn of_incomplete(finding: Finding, facts: &Facts) -> Finding {
    let doubt = match finding.verdict {
        Verdict::Invalid if facts.stands_alone => return finding,
        Verdict::Invalid => "unless an operation missing from the history explains it",
        Verdict::Unknown => return finding,
        Verdict::Valid => "as far as the history goes",
    };
    Finding { verdict: Verdict::Unknown, summary: format!("{}, {doubt}", finding.summary), ..finding }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::check::all;
    use crate::check::testing::Script;
    use crate::history::{HistoryWriter, Notation, OpBatch, Telling, export};

    /// Twenty users with a session each: one misses an append, one shows a token written to another user's session, one
    /// the token of a write that failed.
    fn flawed() -> History {
        let mut s = Script::new();
        let mut appends = Vec::new();
        for user in 0..20 {
            let at = i64::from(user);
            s.create(user, user).at(at..at + 1).ok();
            appends.push(s.append(user, user).at(at + 30..at + 31).ok());
        }
        let failed = s.append(4, 4).at(60..61).failed();
        for user in 0..20 {
            let own = appends[user as usize];
            let shown = match user {
                3 => vec![],
                7 => vec![own, appends[12]],
                9 => vec![own, failed],
                _ => vec![own],
            };
            s.read(user, user).at(100..101).finally().shows(&shown).ok();
        }
        s.build()
    }

    fn written(history: &History, finished: bool) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.fdh");
        let mut writer = HistoryWriter::create(&path, &history.header).unwrap();
        // Several frames, as in a drill.
        for ops in history.ops.ops.chunks(7) {
            writer.append(&OpBatch { ops: ops.to_vec(), tokens: history.ops.tokens.clone() }).unwrap();
        }
        history.notes.iter().for_each(|note| writer.note(note).unwrap());
        if finished {
            writer.finish().unwrap();
        }
        (dir, path)
    }

    #[test]
    fn parts_together_find_what_the_whole_shows() {
        let (_dir, path) = written(&flawed(), true);
        let budget = Budget::default();
        let whole = check_file(&path, all(), &budget, u64::MAX).unwrap();
        let verdicts: Vec<_> =
            whole.findings.iter().filter(|(_, f)| f.verdict == Verdict::Invalid).map(|(name, _)| *name).collect();
        assert_eq!(verdicts, ["lost-writes", "phantom-writes", "isolation", "linearizable"]);
        for parts in [2, 3, 64] {
            let judged = in_parts(&path, all(), &budget, u64::MAX, parts).unwrap();
            assert_eq!((judged.operations, judged.findings), (whole.operations, whole.findings.clone()), "{parts}");
        }
    }

    #[test]
    fn a_history_that_does_not_fit_is_judged_by_parts() {
        let (_dir, path) = written(&flawed(), true);
        let judged = check_file(&path, all(), &Budget::default(), 1_500).unwrap();
        assert!(judged.parts > 1, "{judged:?}");
        let whole = check_file(&path, all(), &Budget::default(), u64::MAX).unwrap();
        assert_eq!((whole.parts, whole.findings), (1, judged.findings));
    }

    #[test]
    fn a_count_cannot_be_judged_by_parts() {
        let mut s = Script::new();
        for user in 0..20 {
            s.create(user, user).at(0..1).ok();
        }
        s.count().at(2..3).number(20).ok();
        let (_dir, path) = written(&s.build(), true);
        let counts = [crate::check::named("counts").unwrap()];
        let verdict = |parts| {
            let judged = in_parts(&path, &counts, &Budget::default(), u64::MAX, parts).unwrap();
            judged.findings[0].1.verdict
        };
        assert_eq!([verdict(1), verdict(2)], [Verdict::Valid, Verdict::Unknown]);
    }

    #[test]
    fn a_history_whose_largest_user_does_not_fit_is_refused_with_the_figure() {
        let (_dir, path) = written(&flawed(), true);
        let refused = check_file(&path, all(), &Budget::default(), 50);
        assert!(matches!(refused, Err(HistoryError::NoRoom { needed, room: 50, .. }) if needed > 50), "{refused:?}");
    }

    #[test]
    fn only_violations_that_stand_alone_make_an_incomplete_history_invalid() {
        let (_dir, path) = written(&flawed(), false);
        let judged = check_file(&path, all(), &Budget::default(), u64::MAX).unwrap();
        assert_eq!(judged.tail, Tail::Unfinished);
        let of = |name: &str| &judged.findings.iter().find(|(known, _)| *known == name).unwrap().1;
        assert_eq!(of("isolation").verdict, Verdict::Invalid);
        assert_eq!(of("lost-writes").verdict, Verdict::Unknown);
        assert_eq!(
            of("lost-writes").summary,
            "1 of 40 acknowledged writes lost: 1 acknowledged by the store itself, and nothing tells what became of it, \
             unless an operation missing from the history explains it"
        );
        assert_eq!(of("ttl").verdict, Verdict::Unknown);
    }

    #[test]
    fn a_history_exported_for_jepsen_and_read_back_is_judged_the_same() {
        let history = flawed();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.json");
        let mut json = Vec::new();
        export(&history, Telling::Sessions, Notation::JepsenJson, &mut json).unwrap();
        std::fs::write(&path, json).unwrap();
        let read = History::import(&path, &history.header).unwrap().unwrap();
        assert_eq!(read.ops.ops.len(), history.ops.ops.len());
        let budget = Budget::default();
        assert_eq!(check_history(read, all(), &budget).findings, check_history(history, all(), &budget).findings);
    }
}
