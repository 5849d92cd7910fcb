//! Users see what they wrote: a read shows every write that was acknowledged to the same process before the read was
//! sent, at the same version or a newer one, and it finds the session if its create was acknowledged to that process.
//! The lost-writes checker judges the final reads.

use super::index::{Index, Session, missing, starts_with};
use super::lifetime::Existence;
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::{OpKind, OpRecord, Presence, Step, Token};
use crate::property::Property;

/// See the module documentation.
pub(super) struct ReadYourWrites;

impl SessionChecker for ReadYourWrites {
    fn facts(&self) -> Facts {
        Facts {
            name: "read-your-writes",
            formerly: &[],
            about: "a read shows what the same process wrote before",
            words: Words {
                things: "reads after own writes",
                right: "show them",
                wrong: "miss one",
                nothing: "no process read a session that it had written to",
            },
            relies_on: Property::WRITES,
            stands_alone: false,
            judges: None,
            on_request: false,
            invalid: "a read misses a write whose acknowledgement the same process had seen, shows an older version \
                      than that write returned, or does not find a session that must exist",
            defects: "reads from a lagging replica or a stale cache; a write-behind queue",
        }
    }

    fn session(&self, session: &Session<'_>, _: &Index<'_>, tally: &mut Tally) {
        session.by_process().for_each(|ops| judge(session, ops, tally));
    }
}

fn judge<'h>(session: &Session<'h>, ops: &[&'h OpRecord], tally: &mut Tally) {
    let acknowledged = |op: &&OpRecord| op.outcome.acknowledged() && op.certainly_writes();
    let mut writes: Vec<&OpRecord> = ops.iter().copied().filter(acknowledged).collect();
    if writes.is_empty() {
        return;
    }
    writes.sort_by_key(|write| write.ended);
    let mut due = Due { writes: &writes, made: None, owed: Vec::new(), newest: None, shown: &[] };
    for &read in ops.iter().filter(|op| op.is_answered_read() && op.step != Step::Final) {
        let fresh = due.take_up(read);
        if read.presence == Presence::Absent {
            judge_absent(session, &mut due, read, tally);
        } else if !due.owed.is_empty() || due.newest.is_some() {
            tally.examine(1);
            judge_present(session, &mut due, read, fresh, tally);
        }
    }
}

/// The process's own writes that the next read must show.
struct Due<'a, 'h> {
    /// Acknowledged own writes that have not been taken up yet, sorted by their end.
    writes: &'a [&'h OpRecord],
    /// The own create that ended last. It requires only that the session is found, not its token.
    made: Option<&'h OpRecord>,
    /// The writes that must be shown.
    owed: Vec<&'h OpRecord>,
    /// The own write with the highest version.
    newest: Option<&'h OpRecord>,
    /// A list that contains all owed tokens, except those taken up after it.
    shown: &'h [Token],
}

impl Due<'_, '_> {
    /// Takes up the writes that had ended when `read` was sent, and returns where they start in `owed`.
    fn take_up(&mut self, read: &OpRecord) -> usize {
        let over = self.writes.partition_point(|write| write.ended < read.started);
        let (taken, rest) = self.writes.split_at(over);
        self.writes = rest;
        let fresh = self.owed.len();
        for &write in taken {
            if write.kind == OpKind::Create {
                self.made = Some(write);
                continue;
            }
            self.newest = self.newest.into_iter().chain([write]).max_by_key(|write| write.version);
            self.owed.push(write);
        }
        fresh
    }
}

/// The session is not found. If it may rightly be gone, so may everything that was owed.
fn judge_absent(session: &Session<'_>, due: &mut Due<'_, '_>, read: &OpRecord, tally: &mut Tally) {
    let Some(write) = due.owed.pop().or(due.made) else { return };
    if matches!(session.existence(read), Existence::Certain { .. }) {
        tally.examine(1);
        accuse(session, write, read, "finds no such session", tally);
    }
    due.owed.clear();
    due.made = None;
}

fn judge_present<'h>(
    session: &Session<'h>,
    due: &mut Due<'_, 'h>,
    read: &'h OpRecord,
    fresh: usize,
    tally: &mut Tally,
) {
    let tokens = session.tokens(read);
    // If the list has only grown since the last check, everything owed then is still there.
    let unsure = if starts_with(tokens, due.shown) { fresh } else { 0 };
    let wanted: Vec<Token> = due.owed[unsure..].iter().map(|write| write.token()).collect();
    let gone = missing(&wanted, tokens);
    due.shown = tokens;
    let mut missed = Vec::new();
    if !gone.is_empty() {
        let may_miss_until = session.lifetime_for(read).may_miss_until(read, tokens);
        missed = due.owed.extract_if(.., |write| gone.contains(&write.token())).collect();
        missed.retain(|write| write.started > may_miss_until);
    }
    if let Some(first) = missed.first() {
        let more = if missed.len() > 1 { format!(" and {} more", missed.len() - 1) } else { String::new() };
        accuse(session, first, read, &format!("does not show it{more}"), tally);
    } else if let Some(newest) = due.newest.filter(|newest| read.version != 0 && read.version < newest.version) {
        if newest.started > session.lifetime_for(read).may_renumber_until(read.ended) {
            let older = format!("shows version {}, older than its {}", read.version, newest.version);
            accuse(session, newest, read, &older, tally);
        }
        due.newest = None;
    }
}

fn accuse(session: &Session<'_>, write: &OpRecord, read: &OpRecord, what: &str, tally: &mut Tally) {
    tally.violation(Some(session.number), read.ended, &[write.index, read.index], || {
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
        (finding.verdict, finding.violations, finding.examined)
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
    fn a_read_that_misses_an_own_write_is_reported_once() {
        let mut s = Script::new();
        s.create(17, 3).at(0..1).ok();
        let a = s.append(17, 3).at(2..3).ok();
        let b = s.append(17, 3).at(4..5).ok();
        let stale = s.read(17, 3).at(6..7).shows(&[a]).ok();
        s.read(17, 3).at(8..9).shows(&[a]).ok();
        let finding = s.judged_by(&ReadYourWrites);
        assert_eq!(finding.violations, 1);
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
    fn many_own_writes_missed_by_one_read_are_one_violation() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let all: Vec<u64> = (1..9).map(|i| s.append(1, 0).at(2 * i..2 * i + 1).ok()).collect();
        s.read(1, 0).at(30..31).shows(&all[..5]).ok();
        let finding = s.judged_by(&ReadYourWrites);
        assert_eq!(finding.violations, 1);
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
    fn not_finding_a_session_that_the_process_itself_had_made_misses_its_create_once() {
        let mut s = Script::new();
        let create = s.create(1, 0).at(0..1).degraded();
        s.read(1, 9).at(4..5).absent();
        let first = s.read(1, 0).at(6..7).absent();
        s.read(1, 0).at(8..9).absent();
        let finding = s.judged_by(&ReadYourWrites);
        assert_eq!((finding.verdict, finding.violations, finding.examined), (Verdict::Invalid, 1, 1));
        assert_eq!(finding.samples[0].operations, [create, first]);
    }

    #[test]
    fn not_finding_a_session_that_may_be_destroyed_or_expired_is_no_violation() {
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
    fn a_recreated_session_counts_its_versions_from_the_start() {
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
