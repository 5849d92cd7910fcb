//! Nothing comes back from the dead: after an acknowledged destroy, no operation finds the session unless a create or
//! put may have recreated it, and a recreated session contains no write from before. This catches a slow save after a
//! logout, and a fallback that forgets deletions.

use hashbrown::HashSet;

use super::index::{Index, Session};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::clock::Nanos;
use crate::history::{OpKind, OpRecord, Presence};
use crate::property::Property;

/// See the module documentation.
pub(super) struct Resurrection;

impl SessionChecker for Resurrection {
    fn facts(&self) -> Facts {
        Facts {
            name: "resurrection",
            formerly: &[],
            about: "no session is found after its destroy was acknowledged",
            words: Words {
                things: "replies after a destroy",
                right: "do not show what was destroyed",
                wrong: "show what was destroyed",
                nothing: "no operation asked for a session after its destroy was acknowledged",
            },
            relies_on: Property::DESTROYS,
            stands_alone: false,
            judges: None,
            on_request: false,
            invalid: "a session is found after its destroy was acknowledged, although no create or put may have \
                      recreated it; or a recreated session shows items from before",
            defects: "a slow save after a logout; an append that creates; a fallback that forgets deletions",
        }
    }

    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        if session.ops().any(|op| op.kind == OpKind::Destroy && op.outcome.acknowledged()) {
            judge(session, index, tally);
        }
    }
}

fn judge(session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
    let mut accused = HashSet::new();
    for op in session.ops().filter(|op| op.says_whether_found()) {
        let Some((since, destroy)) = session.destroyed_for(op).before(op) else { continue };
        tally.examine(1);
        if op.presence == Presence::Absent {
            continue;
        }
        if session.destroyed_for(op).perhaps_reborn(since, op) {
            judge_answers(session, op, (since, destroy), index, &mut accused, tally);
        } else if accused.insert(destroy) {
            accuse(session, op, destroy, "found the session", tally);
        }
    }
}

/// The session may exist again, but not with writes from before the destroy.
fn judge_answers(
    session: &Session<'_>,
    read: &OpRecord,
    (since, destroy): (Nanos, u64),
    index: &Index<'_>,
    accused: &mut HashSet<u64>,
    tally: &mut Tally,
) {
    if !read.is_answered_read() {
        return;
    }
    let from_before =
        |write: &&OpRecord| write.session == session.number && write.outcome.acknowledged() && write.ended < since;
    let old = session.tokens(read).iter().filter_map(|&token| index.write(token)).find(from_before);
    if let Some(write) = old
        && accused.insert(destroy)
    {
        let what = format!("shows {} {} from {}", write.kind.name(), write.index, seconds(write.ended));
        accuse(session, read, destroy, &what, tally);
    }
}

/// Each destroy is reported once, however often the session is seen afterwards.
fn accuse(session: &Session<'_>, op: &OpRecord, destroy: u64, what: &str, tally: &mut Tally) {
    tally.violation(Some(session.number), op.ended, &[destroy, op.index], || {
        let (number, kind, at) = (session.number, op.kind.name(), seconds(op.started));
        format!("session {number}: destroy {destroy} was acknowledged before {kind} {} at {at} {what}", op.index)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&Resurrection);
        (finding.verdict, finding.violations, finding.examined)
    }

    #[test]
    fn a_destroyed_session_that_nobody_finds_is_valid() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.destroy(1, 0).at(2..3).ok();
        s.read(1, 0).at(4..5).absent();
        s.append(1, 0).at(6..7).absent();
        s.append(1, 0).at(8..9).unknown();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
    }

    #[test]
    fn a_destroyed_session_found_again_is_reported_once() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        let destroy = s.destroy(17, 0).at(2..3).degraded();
        let read = s.read(17, 0).at(4..5).ok();
        s.read(17, 0).at(6..7).ok();
        s.touch(17, 0).at(8..9).ok();
        let finding = s.judged_by(&Resurrection);
        assert_eq!((finding.violations, finding.examined), (1, 3));
        assert_eq!(finding.samples[0].operations, [destroy, read]);
        assert_eq!(
            finding.samples[0].text,
            "session 17: destroy 1 was acknowledged before read 2 at 0.004 s found the session"
        );
    }

    #[test]
    fn an_append_or_touch_that_finds_it_is_a_violation_and_no_excuse() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.destroy(1, 0).at(2..3).ok();
        s.append(1, 0).at(4..5).ok();
        s.create(2, 0).at(0..1).ok();
        s.append(2, 0).at(1..2).unknown();
        s.destroy(2, 0).at(2..3).ok();
        s.touch(2, 0).at(4..5).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 2, 2));
    }

    #[test]
    fn a_read_under_way_while_it_is_destroyed_may_find_it() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.destroy(1, 0).at(2..5).ok();
        s.read(1, 0).at(4..9).ok();
        s.read(1, 0).at(5..9).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }

    #[test]
    fn a_destroy_failed_or_of_unknown_outcome_promises_nothing() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.destroy(1, 0).at(2..3).unknown();
        s.destroy(1, 0).at(2..3).failed();
        s.read(1, 0).at(4..5).ok();
        assert!(s.judged_by(&Resurrection).vacuous());
    }

    #[test]
    fn a_create_or_put_later_overlapping_or_unknown_explains_it() {
        for birth in 0..4 {
            let mut s = Script::new();
            s.create(1, 0).at(0..1).ok();
            if birth == 0 {
                s.put(1, 0).at(1..2).unknown();
            }
            s.destroy(1, 0).at(3..5).ok();
            match birth {
                1 => s.put(1, 9).at(2..4).ok(),
                2 => s.create(1, 0).at(6..7).ok(),
                3 => s.create(1, 9).at(6..20).ok(),
                _ => 0,
            };
            s.read(1, 0).at(8..9).ok();
            assert_eq!(judged(s), (Verdict::Valid, 0, 1), "birth {birth}");
        }
    }

    #[test]
    fn a_put_before_the_destroy_or_after_the_read_or_failed_does_not_explain_it() {
        let mut s = Script::new();
        s.put(1, 0).at(0..1).ok();
        let seen = s.put(1, 0).at(0..1).unknown();
        s.read(1, 0).at(1..2).shows(&[seen]).ok();
        s.destroy(1, 0).at(3..5).ok();
        s.put(1, 9).at(6..7).failed();
        s.read(1, 0).at(8..9).ok();
        s.put(1, 9).at(10..11).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
    }

    #[test]
    fn a_recreated_session_with_an_answer_from_before_is_a_resurrection() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let old = s.append(1, 0).at(1..2).ok();
        s.destroy(1, 0).at(3..5).ok();
        s.create(1, 0).at(6..7).ok();
        let new = s.append(1, 0).at(8..9).ok();
        s.read(1, 0).at(10..11).shows(&[old, new]).ok();
        let finding = s.judged_by(&Resurrection);
        assert_eq!(
            finding.samples[0].text,
            "session 1: destroy 2 was acknowledged before read 5 at 0.010 s shows append 1 from 0.002 s"
        );
    }

    #[test]
    fn a_recreated_session_may_show_writes_of_unknown_outcome_or_concurrent_with_the_destroy() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        let a = s.append(1, 0).at(1..2).unknown();
        let b = s.append(1, 9).at(1..4).ok();
        s.destroy(1, 0).at(3..5).ok();
        s.create(1, 0).at(6..7).ok();
        s.read(1, 0).at(10..11).shows(&[a, b]).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }
}
