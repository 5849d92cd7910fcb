//! Users see what they wrote: a read shows every answer whose write the same process had seen acknowledged before it
//! sent the read, and a version no older. The final reads are left to the lost-answers checker: here it is about the
//! time between.

use super::case::{Case, Words, seconds};
use super::life::{Existence, Life, answered_read, certain_write};
use super::sessions::{Session, Sessions, missing};
use super::{Checker, Finding, Limits};
use crate::history::{History, OpRecord, Presence, Step, Token};

/// See the module.
pub(super) struct ReadYourWrites;

const WORDS: Words = Words {
    things: "reads after own writes",
    right: "show them",
    wrong: "miss one",
    nothing: "no process read a session that it had written to",
};

impl Checker for ReadYourWrites {
    fn name(&self) -> &'static str {
        "read-your-writes"
    }

    fn about(&self) -> &'static str {
        "a read shows what the same process wrote before"
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let mut case = Case::open(WORDS, limits);
        let sessions = Sessions::of(history);
        let mut life = Life::under(history);
        for session in sessions.iter() {
            if !case.in_time() {
                break;
            }
            if !session.ops().any(certain_write) {
                continue;
            }
            for ops in session.ops_by_process().chunk_by(|a, b| a.process == b.process) {
                judge(&session, &mut life, ops, &mut case);
            }
        }
        case.close()
    }
}

fn judge<'h>(session: &Session<'h>, life: &mut Life, ops: &[&'h OpRecord], case: &mut Case) {
    let mut writes: Vec<&OpRecord> = ops.iter().copied().filter(|op| certain_write(op)).collect();
    writes.sort_by_key(|write| write.ended);
    let mut due = Due { writes: &writes, owed: Vec::new(), newest: None, shown: &[] };
    for &read in ops.iter().filter(|op| answered_read(op) && op.step != Step::Final) {
        let fresh = due.take_up(read);
        if due.owed.is_empty() && due.newest.is_none() {
            continue;
        }
        if read.presence == Presence::Absent {
            judge_absent(session, life, &mut due, read, case);
        } else {
            case.examine(1);
            judge_present(session, life, &mut due, read, fresh, case);
        }
    }
}

/// The own writes that the next read must show.
struct Due<'a, 'h> {
    /// Acknowledged own writes by their end, those not taken up yet.
    writes: &'a [&'h OpRecord],
    /// Those that must be shown.
    owed: Vec<&'h OpRecord>,
    /// The own write that named the highest version.
    newest: Option<&'h OpRecord>,
    /// A list that holds all that is owed, except what was taken up after it.
    shown: &'h [Token],
}

impl Due<'_, '_> {
    /// Takes up the writes that had ended when `read` was sent, and says where in `owed` they begin.
    fn take_up(&mut self, read: &OpRecord) -> usize {
        let over = self.writes.partition_point(|write| write.ended < read.started);
        let (taken, rest) = self.writes.split_at(over);
        self.writes = rest;
        self.newest = taken.iter().copied().chain(self.newest).max_by_key(|write| write.version);
        let fresh = self.owed.len();
        self.owed.extend(taken);
        fresh
    }
}

/// The session is not found. If it may rightly be gone, then so may all that was owed.
fn judge_absent(session: &Session<'_>, life: &mut Life, due: &mut Due<'_, '_>, read: &OpRecord, case: &mut Case) {
    let Some(write) = due.owed.pop() else { return };
    if matches!(life.of(session).existence(read.started, read.ended), Existence::Certain { .. }) {
        case.examine(1);
        accuse(session, write, read, "finds no such session", case);
    }
    due.owed.clear();
}

fn judge_present<'h>(
    session: &Session<'h>,
    life: &mut Life,
    due: &mut Due<'_, 'h>,
    read: &'h OpRecord,
    fresh: usize,
    case: &mut Case,
) {
    let tokens = session.tokens(read);
    // Where the list only grew since the last look, what was owed then is still there.
    let unsure = if tokens.starts_with(due.shown) { fresh } else { 0 };
    let wanted: Vec<Token> = due.owed[unsure..].iter().map(|write| write.token()).collect();
    let gone = missing_late(&wanted, tokens);
    due.shown = tokens;
    let mut missed = Vec::new();
    if !gone.is_empty() {
        let may_miss_until = life.of(session).may_miss_until(read, tokens);
        missed = due.owed.extract_if(.., |write| gone.contains(&write.token())).collect();
        missed.retain(|write| write.started > may_miss_until);
    }
    if let Some(first) = missed.first() {
        let more = if missed.len() > 1 { format!(" and {} more", missed.len() - 1) } else { String::new() };
        accuse(session, first, read, &format!("does not show it{more}"), case);
    } else if let Some(newest) = due.newest.filter(|newest| read.version != 0 && read.version < newest.version) {
        if newest.started > life.of(session).may_renumber_until(read.ended) {
            let older = format!("shows version {}, older than its {}", read.version, newest.version);
            accuse(session, newest, read, &older, case);
        }
        due.newest = None;
    }
}

/// [`missing`], for a few tokens that are likely to stand at the list's end.
fn missing_late(wanted: &[Token], list: &[Token]) -> Vec<Token> {
    const FEW: usize = 4;
    if wanted.len() > FEW {
        return missing(wanted, list);
    }
    wanted.iter().copied().filter(|token| !list.iter().rev().any(|t| t == token)).collect()
}

fn accuse(session: &Session<'_>, write: &OpRecord, read: &OpRecord, what: &str, case: &mut Case) {
    case.offend(Some(session.number), read.ended, &[write.index, read.index], || {
        let (number, process, kind) = (session.number, write.process, write.kind.name());
        let (outcome, written, at) = (write.outcome.name(), seconds(write.ended), seconds(read.started));
        format!(
            "session {number}: process {process} had {kind} {} acknowledged ({outcome}) at {written}, and its read {} \
             at {at} {what}",
            write.index, read.index
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&ReadYourWrites);
        (finding.verdict, finding.offences, finding.examined)
    }

    #[test]
    fn a_read_that_shows_what_its_process_wrote_is_valid() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let a = s.append(1, 0).at(2..3).ok();
        s.read(1, 0).at(4..5).shows(&[a]).ok();
        let b = s.append(1, 0).at(6..7).degraded();
        s.read(1, 0).at(8..9).shows(&[b, a]).degraded();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
    }

    #[test]
    fn a_read_that_misses_an_own_write_is_told_once() {
        let mut s = Script::new();
        s.create(17, 3).at(0..1).ok();
        let a = s.append(17, 3).at(2..3).ok();
        let b = s.append(17, 3).at(4..5).ok();
        let stale = s.read(17, 3).at(6..7).shows(&[a]).ok();
        s.read(17, 3).at(8..9).shows(&[a]).ok();
        let finding = s.judged_by(&ReadYourWrites);
        assert_eq!(finding.offences, 1);
        assert_eq!(finding.samples[0].operations, [b, stale]);
        assert_eq!(
            finding.samples[0].text,
            "session 17: process 3 had append 2 acknowledged (ok) at 0.005 s, and its read 3 at 0.006 s does not show it"
        );
    }

    #[test]
    fn a_write_shown_once_and_then_not_is_missed_as_well() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let a = s.append(1, 0).at(2..3).ok();
        let b = s.append(1, 0).at(4..5).ok();
        s.read(1, 0).at(6..7).shows(&[a, b]).ok();
        s.read(1, 0).at(8..9).shows(&[b]).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
    }

    #[test]
    fn many_own_writes_missed_by_one_read_are_one_offence() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let all: Vec<u64> = (1..9).map(|i| s.append(1, 0).at(2 * i..2 * i + 1).ok()).collect();
        s.read(1, 0).at(30..31).shows(&all[..5]).ok();
        let finding = s.judged_by(&ReadYourWrites);
        assert_eq!(finding.offences, 1);
        assert!(finding.samples[0].text.ends_with("does not show it and 2 more"), "{}", finding.samples[0].text);
    }

    #[test]
    fn a_write_not_yet_acknowledged_or_by_another_process_may_be_missed() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..8).ok();
        s.append(1, 0).at(2..3).unknown();
        s.append(1, 5).at(2..3).ok();
        s.read(1, 0).at(7..9).shows(&[]).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }

    #[test]
    fn a_write_acknowledged_at_the_very_moment_the_read_is_sent_may_be_missed() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..4).ok();
        s.read(1, 0).at(4..5).shows(&[]).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }

    #[test]
    fn not_finding_the_session_at_all_misses_the_write_if_it_must_exist() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..3).ok();
        s.read(1, 0).at(4..5).absent();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
    }

    #[test]
    fn not_finding_a_session_that_may_be_destroyed_or_expired_is_no_offence() {
        let mut s = Script::new().ttl(1_000, 10);
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..3).ok();
        s.destroy(1, 9).at(4..8).unknown();
        s.read(1, 0).at(6..7).absent();
        s.create(2, 0).at(0..1).ok();
        s.append(2, 0).at(2..3).ok();
        s.read(2, 0).at(991..993).absent();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }

    #[test]
    fn a_put_that_may_have_come_after_excuses_and_the_own_put_itself_does_not() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..5).ok();
        let put = s.put(1, 9).at(4..6).ok();
        s.read(1, 0).at(8..9).shows(&[put]).ok();
        s.put(2, 0).at(0..1).ok();
        s.put(2, 0).at(2..3).ok();
        s.read(2, 0).at(4..5).shows(&[4]).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
    }

    #[test]
    fn of_two_puts_that_overlap_the_version_tells_which_one_a_read_missed() {
        let mut s = Script::new();
        let other = s.put(1, 9).at(0..10).version(4).ok();
        s.put(1, 0).at(2..5).version(5).ok();
        s.read(1, 0).at(11..12).shows(&[other]).version(4).ok();
        let finding = s.judged_by(&ReadYourWrites);
        assert_eq!(
            finding.samples[0].text,
            "session 1: process 0 had put 1 acknowledged (ok) at 0.005 s, and its read 2 at 0.011 s shows version 4, \
             older than its 5"
        );
    }

    #[test]
    fn a_session_made_anew_counts_its_versions_from_the_start() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).version(1).ok();
        s.append(1, 0).at(2..3).version(2).ok();
        s.destroy(1, 0).at(4..5).ok();
        s.create(1, 0).at(6..7).version(1).ok();
        s.read(1, 0).at(8..9).version(1).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }

    #[test]
    fn the_final_reads_are_not_judged_here() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..3).ok();
        s.read(1, 0).at(4..5).finally().shows(&[]).ok();
        assert!(s.judged_by(&ReadYourWrites).vacuous());
    }
}
