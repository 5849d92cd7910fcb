//! No write counts twice: no read shows the same token more than once. This catches a resend whose first attempt took
//! effect after all, and a fallback that is drained twice.

use hashbrown::HashSet;

use super::index::{Index, Session};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::{OpRecord, Token};
use crate::property::Property;

/// See the module documentation.
pub(super) struct DuplicatedWrites;

impl SessionChecker for DuplicatedWrites {
    fn facts(&self) -> Facts {
        Facts {
            name: "duplicated-writes",
            formerly: &["duplicated-answers"],
            about: "no read shows a write twice",
            words: Words {
                things: "writes seen by reads",
                right: "appear once",
                wrong: "appear twice",
                nothing: "no read showed a write",
            },
            relies_on: Property::empty(),
            stands_alone: true,
            judges: None,
            on_request: false,
            invalid: "a read shows the same write twice",
            defects: "a resend whose first attempt took effect; a fallback drained twice",
        }
    }

    fn session(&self, session: &Session<'_>, _: &Index<'_>, tally: &mut Tally) {
        judge(session, tally);
    }
}

fn judge(session: &Session<'_>, tally: &mut Tally) {
    // The tokens of the previous read, and the tokens already reported.
    let (mut held, mut accused) = (HashSet::new(), HashSet::new());
    let mut before = 0;
    for (read, known) in session.reads_with_known_prefix() {
        let tokens = session.tokens(read);
        // The set describes the previous read. It can be extended if this read shows all of it, each token once.
        let grows = known == before && before == held.len();
        before = tokens.len();
        let new = if grows { &tokens[known..] } else { tokens };
        if !grows {
            held.clear();
        }
        for &token in new {
            if !held.insert(token) && accused.insert(token) {
                accuse(session, read, token, tally);
            }
        }
        tally.examine(new.len() as u64);
    }
}

fn accuse(session: &Session<'_>, read: &OpRecord, token: Token, tally: &mut Tally) {
    let write = token.saturating_sub(1);
    tally.violation(Some(session.number), read.ended, &[write, read.index], || {
        let (number, at) = (session.number, seconds(read.ended));
        let times = session.tokens(read).iter().filter(|&&t| t == token).count();
        format!(
            "session {number}: the write of operation {write} is there {times} times in read {} at {at}",
            read.index
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn offences(script: Script) -> u64 {
        script.judged_by(&DuplicatedWrites).violations
    }

    #[test]
    fn an_answer_twice_in_one_read_is_reported_once() {
        let mut s = Script::new();
        let a = s.append(17, 0).at(2..3).ok();
        let b = s.append(17, 0).at(4..5).ok();
        s.read(17, 0).at(6..7).shows(&[a, b]).ok();
        s.read(17, 0).at(8..9).shows(&[a, b, a]).ok();
        s.read(17, 0).at(10..11).shows(&[a, b, a]).ok();
        s.read(17, 0).at(12..13).shows(&[b, a, a]).ok();
        let finding = s.judged_by(&DuplicatedWrites);
        assert_eq!((finding.verdict, finding.violations), (Verdict::Invalid, 1));
        assert_eq!(
            finding.samples[0].text,
            "session 17: the write of operation 0 is there 2 times in read 3 at 0.009 s"
        );
        assert_eq!(finding.samples[0].operations, [a, 3]);
    }

    #[test]
    fn the_same_answer_in_different_reads_is_valid_whatever_their_order() {
        let mut s = Script::new();
        let a = s.append(1, 0).at(2..3).ok();
        let b = s.append(1, 0).at(4..5).ok();
        s.read(1, 0).at(6..7).shows(&[a, b]).ok();
        s.read(1, 0).at(8..9).shows(&[b, a]).ok();
        s.read(1, 0).at(10..11).shows(&[b]).ok();
        s.read(1, 0).at(12..13).shows(&[]).ok();
        s.read(1, 0).at(14..15).shows(&[a, b]).ok();
        s.read(2, 0).at(14..15).shows(&[a, b]).ok();
        assert_eq!(offences(s), 0);
    }

    #[test]
    fn an_answer_that_left_and_came_back_is_not_there_twice() {
        let mut s = Script::new();
        let [a, b, c] = [0, 2, 4].map(|at| s.append(1, 0).at(at..at + 1).ok());
        s.read(1, 0).at(6..7).shows(&[a, a, b]).ok();
        s.read(1, 0).at(8..9).shows(&[a, a, c]).ok();
        s.read(1, 0).at(10..11).shows(&[a, a, c, b]).ok();
        assert_eq!(offences(s), 1);
    }

    #[test]
    fn two_answers_twice_are_two_offences() {
        let mut s = Script::new();
        let a = s.append(1, 0).at(2..3).ok();
        let b = s.append(1, 0).at(4..5).ok();
        s.read(1, 0).at(6..7).shows(&[a, b, b, a]).ok();
        assert_eq!(offences(s), 2);
    }

    #[test]
    fn a_read_that_was_not_answered_shows_nothing() {
        let mut s = Script::new();
        let a = s.append(1, 0).at(2..3).ok();
        s.read(1, 0).at(6..7).shows(&[a, a]).unknown();
        assert!(s.judged_by(&DuplicatedWrites).vacuous());
    }
}
