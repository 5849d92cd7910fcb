//! Every process sees what Redis has acknowledged to any process: a read answered by Redis shows every append and put
//! that Redis had acknowledged before the read was sent. This catches a cache next to the store, and a lagging replica.
//! Writes acknowledged by a fallback are ordered only within their own process, so nothing is judged after a session's
//! first create, put or destroy by a fallback.

use super::index::{Index, Session, missing, starts_with};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::clock::Nanos;
use crate::history::{Content, OpRecord, Outcome, Presence, Step, Token};
use crate::property::Property;

/// See the module documentation.
pub(super) struct StaleReads;

impl SessionChecker for StaleReads {
    fn facts(&self) -> Facts {
        Facts {
            name: "stale-reads",
            formerly: &[],
            about: "a read shows what Redis acknowledged to any process before",
            words: Words {
                things: "reads after writes of others",
                right: "show them",
                wrong: "are stale",
                nothing: "Redis answered no read after another process had written",
            },
            relies_on: Property::WRITES,
            stands_alone: false,
            judges: None,
            on_request: false,
            invalid: "a read that Redis answered misses an append or put that Redis had acknowledged to another \
                      process before the read was sent",
            defects: "a cache beside the store; reads from a lagging replica",
        }
    }

    fn session(&self, session: &Session<'_>, _: &Index<'_>, tally: &mut Tally) {
        let mut writes: Vec<&OpRecord> = session.ops().filter(|op| by_redis(op) && op.certainly_adds()).collect();
        if writes.is_empty() {
            return;
        }
        writes.sort_by_key(|write| write.ended);
        let diverged = session.ops().find(|op| replaces_in_fallback(op)).map_or(Nanos::MAX, |op| op.started);
        judge(session, &writes, diverged, tally);
    }
}

fn by_redis(op: &OpRecord) -> bool {
    op.outcome == Outcome::Ok
}

/// Whether a fallback may have created, replaced or ended the session, which reaches Redis at an unknown moment.
fn replaces_in_fallback(op: &OpRecord) -> bool {
    let effects = op.kind.effects();
    op.outcome == Outcome::Degraded
        && (effects.makes || matches!(effects.content, Content::Replaces | Content::Removes))
}

/// Judges the load's reads; the lost-writes checker judges final reads, and the ttl checker judges "no such session".
fn judge(session: &Session<'_>, writes: &[&OpRecord], diverged: Nanos, tally: &mut Tally) {
    let judged = |op: &&OpRecord| by_redis(op) && op.is_answered_read() && op.presence == Presence::Present;
    let (mut taken, mut owed): (usize, Vec<&OpRecord>) = (0, Vec::new());
    let mut shown: &[Token] = &[];
    for read in session.ops().filter(judged).filter(|op| op.step != Step::Final) {
        if read.ended >= diverged {
            return;
        }
        let over = taken + writes[taken..].partition_point(|write| write.ended < read.started);
        let known = owed.len();
        owed.extend(&writes[taken..over]);
        taken = over;
        if !owed.iter().any(|write| write.process != read.process) {
            continue;
        }
        tally.examine(1);
        let tokens = session.tokens(read);
        // If the list has only grown since the last read, everything due then is still there.
        let unsure = if starts_with(tokens, shown) { known } else { 0 };
        shown = tokens;
        let wanted: Vec<Token> = owed[unsure..].iter().map(|write| write.token()).collect();
        let gone = missing(&wanted, tokens);
        if gone.is_empty() {
            continue;
        }
        let may_miss_until = session.lifetime_for(read).may_miss_until(read, tokens);
        let missed: Vec<&OpRecord> = owed.extract_if(.., |write| gone.contains(&write.token())).collect();
        // The read-your-writes checker judges a process's own writes.
        let of_others = |write: &&&OpRecord| write.started > may_miss_until && write.process != read.process;
        if let Some(write) = missed.iter().find(of_others) {
            accuse(session, write, read, tally);
        }
    }
}

fn accuse(session: &Session<'_>, write: &OpRecord, read: &OpRecord, tally: &mut Tally) {
    tally.violation(Some(session.number), read.ended, &[write.index, read.index], || {
        let (number, kind, writer, reader) = (session.number, write.kind.name(), write.process, read.process);
        let (written, at) = (seconds(write.ended), seconds(read.started));
        format!(
            "session {number}: {kind} {} of process {writer} was acknowledged (ok) at {written}, and read {} of process {reader} \
             at {at} does not show it",
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
        let finding = script.judged_by(&StaleReads);
        (finding.verdict, finding.violations, finding.examined)
    }

    #[test]
    fn a_read_that_shows_what_another_process_wrote_is_valid() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let a = s.append(1, 0).at(2..3).ok();
        s.read(1, 5).at(4..5).shows(&[a]).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }

    #[test]
    fn a_read_from_a_cache_misses_what_another_process_wrote() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        let a = s.append(17, 0).at(2..3).ok();
        let stale = s.read(17, 5).at(4..5).shows(&[]).ok();
        s.read(17, 5).at(400..401).shows(&[a]).ok();
        let finding = s.judged_by(&StaleReads);
        assert_eq!(finding.violations, 1);
        assert_eq!(finding.samples[0].operations, [a, stale]);
        assert_eq!(
            finding.samples[0].text,
            "session 17: append 1 of process 0 was acknowledged (ok) at 0.003 s, and read 2 of process 5 at 0.004 s does not \
             show it"
        );
    }

    #[test]
    fn a_read_sent_before_the_acknowledgement_may_miss_it_and_so_may_one_of_a_fallback() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..4).ok();
        s.read(1, 5).at(3..9).shows(&[]).ok();
        s.read(1, 5).at(6..7).shows(&[]).degraded();
        s.append(2, 0).at(2..4).degraded();
        s.read(2, 5).at(6..7).shows(&[]).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }

    #[test]
    fn what_a_put_may_have_replaced_need_not_be_shown_and_a_put_of_a_fallback_ends_the_judging() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..5).ok();
        let put = s.put(1, 9).at(4..6).ok();
        s.read(1, 5).at(8..9).shows(&[put]).ok();
        s.create(2, 0).at(0..1).ok();
        s.append(2, 0).at(2..5).ok();
        let put = s.put(2, 9).at(6..7).degraded();
        s.read(2, 5).at(80..90).shows(&[put]).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }
}
