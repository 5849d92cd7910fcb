//! Time does not run backwards for a user: later reads of a session by the same process show everything that its
//! earlier reads showed, at the same version or a newer one. This catches a rollback, a stale replica or a forgotten
//! fallback, even if the write was never acknowledged.

use super::index::{Index, Session, missing};
use super::lifetime::Existence;
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::{OpRecord, Presence, Token};
use crate::property::Property;

/// See the module documentation.
pub(super) struct MonotonicReads;

impl SessionChecker for MonotonicReads {
    fn facts(&self) -> Facts {
        Facts {
            name: "monotonic-reads",
            formerly: &[],
            about: "a read shows what an earlier read of the same process showed",
            words: Words {
                things: "repeated reads",
                right: "show what was seen before",
                wrong: "go back in time",
                nothing: "no process read a session twice",
            },
            relies_on: Property::WRITES,
            stands_alone: false,
            judges: None,
            on_request: false,
            invalid: "a read misses what an earlier read of the same process showed, or returns an older version, \
                      even if the write was never acknowledged",
            defects: "replicas read in turn; a touch that writes back what it read",
        }
    }

    fn session(&self, session: &Session<'_>, _: &Index<'_>, tally: &mut Tally) {
        for ops in session.by_process() {
            let reads: Vec<&OpRecord> = ops.iter().copied().filter(|op| op.is_answered_read()).collect();
            if reads.len() > 1 {
                judge(session, &reads, tally);
            }
        }
    }
}

/// Judges the reads of one process, given in the order sent. Concurrent reads do not constrain each other: a read is
/// compared with those that had ended when it was sent.
fn judge<'h>(session: &Session<'h>, reads: &[&'h OpRecord], tally: &mut Tally) {
    let mut by_end: Vec<usize> = (0..reads.len()).filter(|&at| reads[at].presence != Presence::Absent).collect();
    by_end.sort_by_key(|&at| reads[at].ended);
    let mut by_end = by_end.into_iter().peekable();
    let mut seen = ReadSet { reads: Vec::new(), newest: None };
    for (at, read) in reads.iter().enumerate() {
        while let Some(over) = by_end.next_if(|&over| reads[over].ended < read.started) {
            seen.add(over, reads[over], at);
        }
        if !seen.reads.is_empty() {
            judge_read(session, &mut seen, read, tally);
        }
    }
}

/// What the process has seen so far: the reads that together show all of it. Without concurrent reads this is only the
/// last one, which has itself been found to show everything that its predecessor showed.
struct ReadSet<'h> {
    /// Each read, with the position of the read before which it was added.
    reads: Vec<(&'h OpRecord, usize)>,
    /// The read with the highest version.
    newest: Option<&'h OpRecord>,
}

impl<'h> ReadSet<'h> {
    /// Adds the read at position `at` before the read at `now` is judged. Whatever was here when the read at `at` was
    /// judged is contained in it and need not be kept.
    fn add(&mut self, at: usize, read: &'h OpRecord, now: usize) {
        self.reads.retain(|&(_, since)| since > at);
        self.reads.push((read, now));
        if self.newest.is_none_or(|newest| newest.version < read.version) {
            self.newest = Some(read);
        }
    }
}

fn judge_read<'h>(session: &Session<'h>, seen: &mut ReadSet<'h>, read: &'h OpRecord, tally: &mut Tally) {
    if read.presence == Presence::Absent {
        judge_absent(session, seen, read, tally);
        return;
    }
    tally.examine(1);
    let tokens = session.tokens(read);
    let mut went_back = false;
    seen.reads.retain(|&(earlier, _)| {
        let gone = missing(session.tokens(earlier), tokens);
        if !gone.is_empty() && !went_back && earlier.started > session.lifetime_for(read).may_miss_until(read, tokens) {
            went_back = true;
            let more = if gone.len() > 1 { format!(" and {} more", gone.len() - 1) } else { String::new() };
            let saw = format!("saw the write of operation {}{more}", gone[0].saturating_sub(1));
            accuse(session, earlier, read, &gone, &saw, "does not show it", tally);
        }
        gone.is_empty()
    });
    if let Some(newest) = seen.newest.filter(|newest| read.version != 0 && read.version < newest.version) {
        if !went_back && newest.started > session.lifetime_for(read).may_renumber_until(read.ended) {
            let (saw, now) = (format!("saw version {}", newest.version), format!("shows version {}", read.version));
            accuse(session, newest, read, &[], &saw, &now, tally);
        }
        seen.newest = None;
    }
}

/// The session is not found. If it may rightly be gone, so may everything that was seen.
fn judge_absent(session: &Session<'_>, seen: &mut ReadSet<'_>, read: &OpRecord, tally: &mut Tally) {
    if let Some((earlier, _)) = seen.reads.pop()
        && matches!(session.existence(read), Existence::Certain { .. })
    {
        tally.examine(1);
        accuse(session, earlier, read, &[], "found the session", "does not find it", tally);
    }
    seen.reads.clear();
}

fn accuse(
    session: &Session<'_>,
    earlier: &OpRecord,
    read: &OpRecord,
    gone: &[Token],
    saw: &str,
    now: &str,
    tally: &mut Tally,
) {
    let mut operations = vec![earlier.index, read.index];
    operations.extend(gone.iter().take(8).map(|token| token.saturating_sub(1)));
    tally.violation(Some(session.number), read.ended, &operations, || {
        let (number, process) = (session.number, read.process);
        let (before, after) = (seconds(earlier.ended), seconds(read.started));
        format!(
            "session {number}: process {process} {saw} at {before} (read {}), and its read {} at {after} {now}",
            earlier.index, read.index
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&MonotonicReads);
        (finding.verdict, finding.violations, finding.examined)
    }

    #[test]
    fn reads_that_only_gain_answers_are_valid_in_any_order_of_these() {
        let mut s = Script::new();
        s.create(1, 9).at(0..1).ok();
        let a = s.append(1, 9).at(2..3).ok();
        let b = s.append(1, 9).at(4..5).ok();
        s.read(1, 0).at(3..4).shows(&[a]).version(2).ok();
        s.read(1, 0).at(6..7).shows(&[b, a]).version(3).ok();
        s.read(1, 0).at(8..9).shows(&[b, a]).version(3).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
    }

    #[test]
    fn an_answer_seen_and_then_missing_is_reported_even_if_its_write_was_unknown() {
        let mut s = Script::new();
        s.create(17, 9).at(0..1).ok();
        let a = s.append(17, 9).at(2..3).unknown();
        let saw = s.read(17, 3).at(4..5).shows(&[a]).ok();
        let stale = s.read(17, 3).at(6..7).shows(&[]).ok();
        s.read(17, 3).at(8..9).shows(&[]).ok();
        let finding = s.judged_by(&MonotonicReads);
        assert_eq!((finding.violations, finding.examined), (1, 2));
        assert_eq!(finding.samples[0].operations, [saw, stale, a]);
        assert_eq!(
            finding.samples[0].text,
            "session 17: process 3 saw the write of operation 1 at 0.005 s (read 2), and its read 3 at 0.006 s does not \
             show it"
        );
    }

    #[test]
    fn a_slow_read_that_saw_less_does_not_hide_what_a_faster_one_saw() {
        let mut s = Script::new();
        s.create(1, 9).at(0..1).ok();
        let a = s.append(1, 9).at(2..3).ok();
        s.read(1, 0).at(2..5).shows(&[a]).ok();
        s.read(1, 0).at(4..20).shows(&[]).ok();
        s.read(1, 0).at(6..30).shows(&[a]).ok();
        s.read(1, 0).at(21..22).shows(&[]).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
    }

    #[test]
    fn different_processes_may_see_different_times() {
        let mut s = Script::new();
        s.create(1, 9).at(0..1).ok();
        let a = s.append(1, 9).at(2..3).ok();
        s.read(1, 0).at(4..5).shows(&[a]).ok();
        s.read(1, 1).at(6..7).shows(&[]).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }

    #[test]
    fn concurrent_reads_do_not_bind_each_other_but_both_bind_the_next() {
        let mut s = Script::new();
        s.create(1, 9).at(0..1).ok();
        let a = s.append(1, 9).at(2..3).ok();
        let b = s.append(1, 9).at(2..3).ok();
        s.read(1, 0).at(4..8).shows(&[a]).ok();
        s.read(1, 0).at(5..9).shows(&[b]).ok();
        s.read(1, 0).at(8..12).shows(&[]).ok();
        s.read(1, 0).at(10..14).shows(&[b]).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
    }

    #[test]
    fn what_a_put_a_destroy_or_an_expiry_may_have_replaced_need_not_be_seen_again() {
        let mut s = Script::new().ttl(1_000, 0);
        let a = s.put(1, 9).at(0..1).ok();
        s.read(1, 0).at(2..5).shows(&[a]).version(7).ok();
        let b = s.put(1, 9).at(4..6).ok();
        s.read(1, 0).at(7..8).shows(&[b]).version(8).ok();
        s.destroy(1, 9).at(9..10).ok();
        s.create(1, 9).at(11..12).ok();
        s.read(1, 0).at(13..14).shows(&[]).version(1).ok();
        let c = s.append(1, 9).at(15..16).ok();
        s.read(1, 0).at(17..18).shows(&[c]).version(2).ok();
        s.create(1, 9).at(1_100..1_101).ok();
        s.read(1, 0).at(1_102..1_103).shows(&[]).version(1).ok();
        assert_eq!(judged(s).0, Verdict::Valid);
    }

    #[test]
    fn a_session_created_only_by_writes_of_unknown_outcome_may_have_expired_and_been_recreated() {
        let mut s = Script::new().ttl(1_000, 20).not_sliding();
        let put = s.put(1, 0).at(2_025..2_224).unknown();
        s.create(1, 0).at(2_083..2_210).unknown();
        s.read(1, 0).at(2_598..2_728).shows(&[put]).ok();
        s.read(1, 0).at(3_665..3_667).shows(&[]).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }

    #[test]
    fn a_session_found_and_then_not_goes_back_in_time_if_it_must_exist() {
        let mut s = Script::new();
        s.create(1, 9).at(0..1).ok();
        s.read(1, 0).at(2..3).shows(&[]).ok();
        s.read(1, 0).at(4..5).absent();
        let finding = s.judged_by(&MonotonicReads);
        assert_eq!(
            finding.samples[0].text,
            "session 1: process 0 found the session at 0.003 s (read 1), and its read 2 at 0.004 s does not find it"
        );
    }

    #[test]
    fn a_session_found_and_then_expired_or_destroyed_does_not() {
        let mut s = Script::new().ttl(1_000, 10);
        s.create(1, 9).at(0..1).ok();
        s.read(1, 0).at(2..3).ok();
        s.read(1, 0).at(991..993).absent();
        s.create(2, 9).at(0..1).ok();
        s.read(2, 0).at(2..3).ok();
        s.destroy(2, 9).at(4..5).unknown();
        s.read(2, 0).at(6..7).absent();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }

    #[test]
    fn a_version_that_goes_back_is_reported_even_if_the_content_does_not() {
        let mut s = Script::new();
        s.create(1, 9).at(0..1).ok();
        s.read(1, 0).at(2..3).version(4).ok();
        s.read(1, 0).at(4..5).version(3).ok();
        let finding = s.judged_by(&MonotonicReads);
        assert_eq!(
            finding.samples[0].text,
            "session 1: process 0 saw version 4 at 0.003 s (read 1), and its read 2 at 0.004 s shows version 3"
        );
    }

    #[test]
    fn an_answer_lost_between_two_overlapping_pairs_is_found() {
        let mut s = Script::new();
        s.create(1, 9).at(0..1).ok();
        let a = s.append(1, 9).at(2..3).ok();
        let b = s.append(1, 9).at(2..3).ok();
        s.read(1, 0).at(4..20).shows(&[a, b]).ok();
        s.read(1, 0).at(5..6).shows(&[a]).ok();
        s.read(1, 0).at(7..8).shows(&[a]).ok();
        s.read(1, 0).at(21..22).shows(&[a]).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
    }
}
