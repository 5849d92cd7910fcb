//! No answer counts twice: no read shows the same token more than once. A resend whose first attempt took effect after
//! all, or a fallback drained twice, shows here.

use hashbrown::HashSet;

use super::case::{Case, Words, seconds};
use super::sessions::{Session, Sessions};
use super::{Checker, Finding, Limits};
use crate::history::{History, OpRecord, Token};

/// See the module.
pub(super) struct DuplicatedAnswers;

const WORDS: Words = Words {
    things: "answers shown by reads",
    right: "there once only",
    wrong: "there twice",
    nothing: "no read showed an answer",
};

impl Checker for DuplicatedAnswers {
    fn name(&self) -> &'static str {
        "duplicated-answers"
    }

    fn about(&self) -> &'static str {
        "no read shows an answer twice"
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let mut case = Case::open(WORDS, limits);
        let sessions = Sessions::of(history);
        let mut scratch = Scratch::default();
        for session in sessions.iter() {
            if !case.in_time() {
                break;
            }
            judge(&session, &mut scratch, &mut case);
        }
        case.close()
    }
}

/// Memory kept from session to session.
#[derive(Default)]
struct Scratch {
    /// The tokens of the read looked at last.
    held: HashSet<Token>,
    /// Tokens already accused in this session.
    accused: HashSet<Token>,
}

fn judge(session: &Session<'_>, scratch: &mut Scratch, case: &mut Case) {
    scratch.held.clear();
    scratch.accused.clear();
    let mut before = 0;
    for (read, known) in session.reads_with_known_prefix() {
        let tokens = session.tokens(read);
        // What is held stands for the read before; it can be added to where this read shows all of that, each once.
        let grows = known == before && before == scratch.held.len();
        before = tokens.len();
        let new = if grows { &tokens[known..] } else { tokens };
        if !grows {
            scratch.held.clear();
        }
        for &token in new {
            if !scratch.held.insert(token) && scratch.accused.insert(token) {
                accuse(session, read, token, case);
            }
        }
        case.examine(new.len() as u64);
    }
}

fn accuse(session: &Session<'_>, read: &OpRecord, token: Token, case: &mut Case) {
    let write = token.saturating_sub(1);
    case.offend(Some(session.number), read.ended, &[write, read.index], || {
        let (number, at) = (session.number, seconds(read.ended));
        let times = session.tokens(read).iter().filter(|&&t| t == token).count();
        format!(
            "session {number}: the answer of operation {write} is there {times} times in read {} at {at}",
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
        script.judged_by(&DuplicatedAnswers).offences
    }

    #[test]
    fn an_answer_twice_in_one_read_is_told_once() {
        let mut s = Script::new();
        let a = s.append(17, 0).at(2..3).ok();
        let b = s.append(17, 0).at(4..5).ok();
        s.read(17, 0).at(6..7).shows(&[a, b]).ok();
        s.read(17, 0).at(8..9).shows(&[a, b, a]).ok();
        s.read(17, 0).at(10..11).shows(&[a, b, a]).ok();
        s.read(17, 0).at(12..13).shows(&[b, a, a]).ok();
        let finding = s.judged_by(&DuplicatedAnswers);
        assert_eq!((finding.verdict, finding.offences), (Verdict::Invalid, 1));
        assert_eq!(
            finding.samples[0].text,
            "session 17: the answer of operation 0 is there 2 times in read 3 at 0.009 s"
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
        assert!(s.judged_by(&DuplicatedAnswers).vacuous());
    }
}
