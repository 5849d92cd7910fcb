//! Nothing is made up: every token in a read was written by an operation of the drill that may have had an effect. A
//! token is a phantom if it was never written, or if its write was reported as certainly without effect: a target that
//! says "failed" and writes anyway makes callers write twice.

use hashbrown::HashSet;

use super::index::{Index, Session};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::{OpRecord, Outcome, Token};
use crate::property::Property;

/// See the module documentation.
pub(super) struct PhantomWrites;

impl SessionChecker for PhantomWrites {
    fn facts(&self) -> Facts {
        Facts {
            name: "phantom-writes",
            formerly: &["phantom-answers"],
            about: "no read shows a write that was never made, or whose write certainly failed",
            words: Words {
                things: "writes seen by reads",
                right: "were made before",
                wrong: "were never made",
                nothing: "no read showed a write",
            },
            relies_on: Property::empty(),
            stands_alone: false,
            judges: None,
            on_request: false,
            invalid: "a read shows a write that was never made, or one that was reported as certainly failed",
            defects: "a write reported as failed although it took effect, so that callers repeat it",
        }
    }

    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        let mut accused = HashSet::new();
        for (read, known) in session.reads_with_known_prefix() {
            let new = &session.tokens(read)[known..];
            tally.examine(new.len() as u64);
            for &token in new {
                if let Some(what) = phantom(index.write(token))
                    && accused.insert(token)
                {
                    accuse(session, read, token, &what, tally);
                }
            }
        }
    }
}

/// Why a token is a phantom, given the operation it refers to; `None` if it is not. The isolation checker judges tokens
/// of other sessions.
fn phantom(write: Option<&OpRecord>) -> Option<String> {
    let Some(write) = write else {
        return Some("which no operation of the drill wrote".into());
    };
    let writes = write.writes_token();
    if writes && write.perhaps_effective() {
        return None;
    }
    let (index, kind, at) = (write.index, write.kind.name(), seconds(write.ended));
    if !writes {
        return Some(format!("but operation {index} is a {kind} and writes nothing"));
    }
    let outcome = match write.outcome {
        Outcome::Failed => format!("failed ({})", write.cause.name()),
        _ => "\"no such session\"".into(),
    };
    Some(format!("but {kind} {index} was answered {outcome} at {at}: certainly without effect"))
}

fn accuse(session: &Session<'_>, read: &OpRecord, token: Token, what: &str, tally: &mut Tally) {
    let write = token.saturating_sub(1);
    tally.violation(Some(session.number), read.ended, &[write, read.index], || {
        let (number, index, at) = (session.number, read.index, seconds(read.ended));
        format!("session {number}: read {index} at {at} shows token {token}, {what}")
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn described(script: Script) -> Vec<String> {
        script.judged_by(&PhantomWrites).samples.into_iter().map(|sample| sample.text).collect()
    }

    #[test]
    fn answers_acknowledged_or_of_unknown_outcome_may_be_shown() {
        let mut s = Script::new();
        let create = s.create(1, 0).at(0..1).ok();
        let a = s.append(1, 0).at(2..3).ok();
        let b = s.append(1, 0).at(4..5).unknown();
        s.read(1, 0).at(6..7).shows(&[create, a, b]).ok();
        let finding = s.judged_by(&PhantomWrites);
        assert_eq!((finding.verdict, finding.examined), (Verdict::Valid, 3));
    }

    #[test]
    fn a_token_that_nobody_wrote_is_reported_once() {
        let mut s = Script::new();
        let a = s.append(17, 0).at(2..3).ok();
        s.read(17, 0).at(6..7).shows(&[a, 99]).ok();
        s.read(17, 0).at(8..9).shows(&[99, a]).ok();
        assert_eq!(
            described(s),
            ["session 17: read 1 at 0.007 s shows token 100, which no operation of the drill wrote"]
        );
    }

    #[test]
    fn a_failed_write_that_shows_is_a_phantom() {
        let mut s = Script::new();
        let a = s.append(17, 0).at(2..3).failed();
        s.read(17, 0).at(6..7).shows(&[a]).ok();
        assert_eq!(
            described(s),
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
            described(s),
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
            described(s),
            ["session 17: read 1 at 0.007 s shows token 1, but operation 0 is a touch and writes nothing"]
        );
    }

    #[test]
    fn another_sessions_answer_is_not_called_a_phantom() {
        let mut s = Script::new();
        let a = s.append(2, 0).at(2..3).ok();
        s.read(1, 0).at(6..7).shows(&[a]).ok();
        assert_eq!(s.judged_by(&PhantomWrites).verdict, Verdict::Valid);
    }
}
