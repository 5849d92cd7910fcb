//! A session's content is under one id: after an acknowledged renewal nothing is under the old id, and the session is
//! under the new one. Revisits look at old ids; everything else uses the id that the session has by then.

use super::index::{Index, Session};
use super::lifetime::Existence;
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::{OpKind, OpRecord, Presence};
use crate::property::Property;

/// See the module documentation.
pub(super) struct Renewals;

impl SessionChecker for Renewals {
    fn facts(&self) -> Facts {
        Facts {
            name: "renewals",
            formerly: &[],
            about: "a renewed session is under its new id and not under its old one",
            words: Words {
                things: "looks at old ids, and replies after a renewal",
                right: "show the session under one id",
                wrong: "show it under its old id too, or under neither",
                nothing: "nobody looked at an old id",
            },
            relies_on: Property::WRITES.union(Property::EXPIRY).union(Property::DESTROYS),
            stands_alone: false,
            judges: Some(OpKind::Revisit),
            on_request: false,
            invalid: "a session is found under an id that it had before an acknowledged renewal; or a renewed session \
                      that must exist is not found under its new id",
            defects: "a renewal that copies; a slow save under the old id; a new id that the fallback forgets",
        }
    }

    fn session(&self, session: &Session<'_>, _: &Index<'_>, tally: &mut Tally) {
        let mut renewed: Option<&OpRecord> = None;
        for op in session.ops() {
            let Some(before) = renewed.filter(|renewal| renewal.ended < op.started) else {
                look(session, op, None, tally);
                if op.kind == OpKind::Renew && op.outcome.acknowledged() && op.presence == Presence::Present {
                    // The first decides: later ones change the id again.
                    renewed = Some(renewed.filter(|first| first.ended <= op.ended).unwrap_or(op));
                }
                continue;
            };
            look(session, op, Some(before), tally);
        }
    }
}

/// Judges one operation after `renewal`, if there was one.
fn look(session: &Session<'_>, op: &OpRecord, renewal: Option<&OpRecord>, tally: &mut Tally) {
    let number = session.number;
    let found = session.tokens(op).first().filter(|_| op.kind == OpKind::Revisit && op.outcome.acknowledged());
    if let Some(found) = found {
        tally.examine(1);
        if *found > 0 {
            let operations: Vec<u64> = renewal.map(|renewal| renewal.index).into_iter().chain([op.index]).collect();
            tally.violation(Some(number), op.ended, &operations, || {
                format!(
                    "session {number}: revisit {} at {} found it under an id that it does not have",
                    op.index,
                    seconds(op.started)
                )
            });
        }
    }
    let Some(renewal) = renewal.filter(|_| op.says_whether_found()) else { return };
    tally.examine(1);
    if op.presence == Presence::Absent && matches!(session.existence(op), Existence::Certain { .. }) {
        tally.violation(Some(number), op.ended, &[renewal.index, op.index], || {
            let (kind, at) = (op.kind.name(), seconds(op.started));
            format!("session {number}: {kind} {} at {at} did not find it after renewal {}", op.index, renewal.index)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&Renewals);
        (finding.verdict, finding.violations, finding.examined)
    }

    /// A session that was renewed from 2 to 3 ms.
    fn renewed() -> Script {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.line(OpKind::Renew, 1, 0).at(2..3).ok();
        s
    }

    #[test]
    fn a_session_under_its_new_id_alone_is_valid() {
        let mut s = renewed();
        s.line(OpKind::Revisit, 1, 0).at(4..5).number(0).ok();
        s.read(1, 0).at(6..7).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
    }

    #[test]
    fn a_session_under_its_old_id_too_is_a_violation() {
        let mut s = renewed();
        s.line(OpKind::Revisit, 1, 0).at(4..5).number(1).ok();
        let finding = s.judged_by(&Renewals);
        assert_eq!((finding.verdict, finding.violations), (Verdict::Invalid, 1));
        assert_eq!(
            finding.samples[0].text,
            "session 1: revisit 2 at 0.004 s found it under an id that it does not have"
        );
        assert_eq!(finding.samples[0].operations, [1, 2]);
    }

    #[test]
    fn a_session_under_neither_id_is_a_violation_unless_it_may_have_ended() {
        let mut s = renewed();
        s.read(1, 0).at(4..5).absent();
        s.line(OpKind::Revisit, 1, 0).at(6..7).number(0).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
        let mut s = renewed();
        s.destroy(1, 0).at(3..4).unknown();
        s.read(1, 0).at(5..6).absent();
        s.line(OpKind::Revisit, 1, 0).at(6..7).number(0).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
    }

    #[test]
    fn what_was_not_answered_is_not_judged() {
        let mut s = renewed();
        s.line(OpKind::Revisit, 1, 0).at(4..5).failed();
        s.line(OpKind::Revisit, 1, 0).at(4..5).unknown();
        assert!(s.judged_by(&Renewals).vacuous());
    }
}
