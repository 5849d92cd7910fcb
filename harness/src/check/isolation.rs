//! A session never shows another session's data: no reply names another session as its owner or contains tokens written
//! to another session. This catches a reply that reaches the wrong caller.

use hashbrown::HashSet;

use super::index::{Index, Session};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::OpRecord;
use crate::property::Property;

/// See the module documentation.
pub(super) struct Isolation;

impl SessionChecker for Isolation {
    fn facts(&self) -> Facts {
        Facts {
            name: "isolation",
            formerly: &[],
            about: "a session never shows another session's data",
            words: Words {
                things: "replies with data",
                right: "from the session asked for",
                wrong: "from another session",
                nothing: "no reply held any data",
            },
            relies_on: Property::empty(),
            stands_alone: true,
            judges: None,
            on_request: false,
            invalid: "a reply belongs to another session, or shows what was written to another session",
            defects: "a reply that reaches the wrong caller; keys that collide",
        }
    }

    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        judge_owners(session, tally);
        judge_tokens(session, index, tally);
    }
}

/// Judges all replies that name their owner, whatever their kind and outcome.
fn judge_owners(session: &Session<'_>, tally: &mut Tally) {
    for op in session.ops().filter(|op| op.owner != OpRecord::NO_OWNER) {
        tally.examine(1);
        if op.owner != session.number {
            tally.violation(Some(session.number), op.ended, &[op.index], || {
                let (number, kind, at) = (session.number, op.kind.name(), seconds(op.ended));
                format!("session {number}: {kind} {} at {at} was answered with session {}'s data", op.index, op.owner)
            });
        }
    }
}

/// Judges replies without an owner by their tokens; each foreign token is reported once.
fn judge_tokens(session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
    let mut accused = HashSet::new();
    for (read, known) in session.reads_with_known_prefix() {
        let tokens = session.tokens(read);
        if read.owner == OpRecord::NO_OWNER && !tokens.is_empty() {
            tally.examine(1);
        }
        for &token in &tokens[known..] {
            let Some(write) = index.write(token).filter(|write| write.session != session.number) else { continue };
            if accused.insert(token) {
                tally.violation(Some(session.number), read.ended, &[write.index, read.index], || {
                    let (number, at, other) = (session.number, seconds(read.ended), write.session);
                    let (read, kind) = (read.index, write.kind.name());
                    format!("session {number}: read {read} at {at} shows {kind} {} of session {other}", write.index)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    #[test]
    fn answers_with_their_own_sessions_data_are_valid() {
        let mut s = Script::new();
        let a = s.append(1, 0).at(2..3).owner(1).ok();
        let b = s.append(2, 0).at(2..3).owner(2).ok();
        s.read(1, 0).at(6..7).owner(1).shows(&[a]).ok();
        s.read(2, 0).at(6..7).shows(&[b]).ok();
        s.read(3, 0).at(6..7).absent();
        let finding = s.judged_by(&Isolation);
        assert_eq!((finding.verdict, finding.examined), (Verdict::Valid, 4));
    }

    #[test]
    fn an_answer_that_belongs_to_another_session_is_reported() {
        let mut s = Script::new();
        s.read(17, 0).at(6..7).owner(3).ok();
        let finding = s.judged_by(&Isolation);
        assert_eq!(finding.samples[0].text, "session 17: read 0 at 0.007 s was answered with session 3's data");
        assert_eq!(finding.summary, "1 of 1 replies with data from another session");
    }

    #[test]
    fn another_sessions_answer_within_a_session_is_reported_once() {
        let mut s = Script::new();
        let own = s.append(17, 0).at(2..3).ok();
        let foreign = s.append(3, 0).at(2..3).ok();
        s.read(17, 0).at(6..7).shows(&[own]).ok();
        s.read(17, 0).at(8..9).shows(&[own, foreign]).ok();
        s.read(17, 0).at(10..11).shows(&[foreign, own]).ok();
        let finding = s.judged_by(&Isolation);
        assert_eq!(finding.violations, 1);
        assert_eq!(finding.samples[0].text, "session 17: read 3 at 0.009 s shows append 1 of session 3");
    }

    #[test]
    fn a_token_that_nobody_wrote_is_not_called_another_sessions() {
        let mut s = Script::new();
        s.read(1, 0).at(6..7).shows(&[99]).ok();
        assert_eq!(s.judged_by(&Isolation).verdict, Verdict::Valid);
    }
}
