//! Nothing is made up: every token that a read shows was written by an operation of the drill that may have had an
//! effect. One that was never written, or whose write was reported to be certainly without effect, is a phantom: a
//! target that says "failed" and does it all the same makes callers do it twice.

use hashbrown::HashSet;

use super::case::{Case, Words, seconds};
use super::life::perhaps_effective;
use super::sessions::{Session, Sessions, Writes};
use super::{Checker, Finding, Limits};
use crate::history::{History, OpKind, OpRecord, Outcome, Token};

/// See the module.
pub(super) struct PhantomAnswers;

const WORDS: Words = Words {
    things: "answers shown by reads",
    right: "written before",
    wrong: "out of nothing",
    nothing: "no read showed an answer",
};

impl Checker for PhantomAnswers {
    fn name(&self) -> &'static str {
        "phantom-answers"
    }

    fn about(&self) -> &'static str {
        "no read shows an answer that was never written, or whose write certainly failed"
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let mut case = Case::open(WORDS, limits);
        let (sessions, writes) = (Sessions::of(history), Writes::of(history));
        let mut accused = HashSet::new();
        for session in sessions.iter() {
            if !case.in_time() {
                break;
            }
            accused.clear();
            for (read, known) in session.reads_with_known_prefix() {
                let new = &session.tokens(read)[known..];
                case.examine(new.len() as u64);
                for &token in new {
                    if let Some(what) = phantom(writes.find(token))
                        && accused.insert(token)
                    {
                        accuse(&session, read, token, &what, &mut case);
                    }
                }
            }
        }
        case.close()
    }
}

/// What makes a token a phantom, given the operation it names; `None` where nothing does. Another session's token is
/// the isolation checker's business.
fn phantom(write: Option<&OpRecord>) -> Option<String> {
    let Some(write) = write else {
        return Some("which no operation of the drill wrote".into());
    };
    let writes = matches!(write.kind, OpKind::Create | OpKind::Append | OpKind::Put);
    if writes && perhaps_effective(write) {
        return None;
    }
    let (index, kind, at) = (write.index, write.kind.name(), seconds(write.ended));
    if !writes {
        return Some(format!("but operation {index} is a {kind} and writes nothing"));
    }
    let told = match write.outcome {
        Outcome::Failed => format!("failed ({})", write.cause.name()),
        _ => "\"no such session\"".into(),
    };
    Some(format!("but {kind} {index} was answered {told} at {at}: certainly without effect"))
}

fn accuse(session: &Session<'_>, read: &OpRecord, token: Token, what: &str, case: &mut Case) {
    let write = token.saturating_sub(1);
    case.offend(Some(session.number), read.ended, &[write, read.index], || {
        let (number, index, at) = (session.number, read.index, seconds(read.ended));
        format!("session {number}: read {index} at {at} shows token {token}, {what}")
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn told(script: Script) -> Vec<String> {
        script.judged_by(&PhantomAnswers).samples.into_iter().map(|sample| sample.text).collect()
    }

    #[test]
    fn answers_acknowledged_or_of_unknown_outcome_may_be_shown() {
        let mut s = Script::new();
        let create = s.create(1, 0).at(0..1).ok();
        let a = s.append(1, 0).at(2..3).ok();
        let b = s.append(1, 0).at(4..5).unknown();
        s.read(1, 0).at(6..7).shows(&[create, a, b]).ok();
        let finding = s.judged_by(&PhantomAnswers);
        assert_eq!((finding.verdict, finding.examined), (Verdict::Valid, 3));
    }

    #[test]
    fn a_token_that_nobody_wrote_is_told_once() {
        let mut s = Script::new();
        let a = s.append(17, 0).at(2..3).ok();
        s.read(17, 0).at(6..7).shows(&[a, 99]).ok();
        s.read(17, 0).at(8..9).shows(&[99, a]).ok();
        assert_eq!(told(s), ["session 17: read 1 at 0.007 s shows token 100, which no operation of the drill wrote"]);
    }

    #[test]
    fn a_failed_write_that_shows_is_a_phantom() {
        let mut s = Script::new();
        let a = s.append(17, 0).at(2..3).failed();
        s.read(17, 0).at(6..7).shows(&[a]).ok();
        assert_eq!(
            told(s),
            ["session 17: read 1 at 0.007 s shows token 1, but append 0 was answered failed (refused) at 0.003 s: \
              certainly without effect"]
        );
    }

    #[test]
    fn an_append_answered_no_such_session_that_shows_is_a_phantom() {
        let mut s = Script::new();
        let a = s.append(17, 0).at(2..3).absent();
        s.read(17, 0).at(6..7).shows(&[a]).ok();
        assert_eq!(
            told(s),
            ["session 17: read 1 at 0.007 s shows token 1, but append 0 was answered \"no such session\" at 0.003 s: \
              certainly without effect"]
        );
    }

    #[test]
    fn the_token_of_a_read_is_a_phantom() {
        let mut s = Script::new();
        let touch = s.touch(17, 0).at(2..3).ok();
        s.read(17, 0).at(6..7).shows(&[touch]).ok();
        assert_eq!(
            told(s),
            ["session 17: read 1 at 0.007 s shows token 1, but operation 0 is a touch and writes nothing"]
        );
    }

    #[test]
    fn another_sessions_answer_is_not_called_a_phantom() {
        let mut s = Script::new();
        let a = s.append(2, 0).at(2..3).ok();
        s.read(1, 0).at(6..7).shows(&[a]).ok();
        assert_eq!(s.judged_by(&PhantomAnswers).verdict, Verdict::Valid);
    }
}
