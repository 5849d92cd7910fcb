//! Nothing comes back from the dead: after an acknowledged destroy nobody finds the session, unless a create or put
//! may have made it anew since; and a session made anew holds no answer from before. A slow save after a logout, or a
//! fallback that forgets deletions, shows here.

use hashbrown::HashSet;

use super::case::{Case, Words, seconds};
use super::life::{Ended, Spans, answered_read, first_shown, latest, perhaps_creates};
use super::sessions::{Session, Sessions, Writes};
use super::{Checker, Finding, Limits};
use crate::clock::Nanos;
use crate::history::{History, OpKind, OpRecord, Presence};

/// See the module.
pub(super) struct Resurrection;

const WORDS: Words = Words {
    things: "answers after a destroy",
    right: "without what was destroyed",
    wrong: "show what was destroyed",
    nothing: "nobody looked for a session after its destroy was acknowledged",
};

impl Checker for Resurrection {
    fn name(&self) -> &'static str {
        "resurrection"
    }

    fn about(&self) -> &'static str {
        "nobody finds a session after its destroy was acknowledged"
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let mut case = Case::open(WORDS, limits);
        let (sessions, writes) = (Sessions::of(history), Writes::of(history));
        let mut deaths = Deaths::default();
        for session in sessions.iter() {
            if !case.in_time() {
                break;
            }
            if deaths.fill(&session) {
                judge(&session, &deaths, &writes, &mut case);
            }
        }
        case.close()
    }
}

/// The certain ends of one session, and its possible new beginnings.
#[derive(Default)]
pub(super) struct Deaths {
    destroys: Ended,
    births: Spans,
}

impl Deaths {
    /// Takes in `session` instead of the one before. `false`: it was never certainly destroyed.
    pub(super) fn fill(&mut self, session: &Session<'_>) -> bool {
        self.destroys.clear();
        self.births.clear();
        let mut destroyed = false;
        for op in session.ops().filter(|op| op.kind == OpKind::Destroy && op.outcome.acknowledged()) {
            self.destroys.push(op);
            destroyed = true;
        }
        if destroyed {
            let shown = first_shown(session);
            for op in session.ops().filter(|op| perhaps_creates(op)) {
                self.births.push(op.started, shown.get(&op.token()).copied().unwrap_or(latest(op)));
            }
            self.destroys.seal();
            self.births.seal();
        }
        destroyed
    }

    /// When the last destroy that was over before `op` began had itself begun, and its index.
    fn before(&self, op: &OpRecord) -> Option<(Nanos, u64)> {
        self.destroys.last_before(op.started)
    }

    /// The destroy after which the session cannot be there while `op` runs.
    pub(super) fn certain_for(&self, op: &OpRecord) -> Option<u64> {
        self.before(op).filter(|(since, _)| self.births.latest(op.ended) < *since).map(|(_, destroy)| destroy)
    }
}

fn judge(session: &Session<'_>, deaths: &Deaths, writes: &Writes<'_>, case: &mut Case) {
    let mut accused = HashSet::new();
    for op in session.ops().filter(|op| says_whether_it_exists(op)) {
        let Some((since, destroy)) = deaths.before(op) else { continue };
        case.examine(1);
        if op.presence == Presence::Absent {
            continue;
        }
        if deaths.births.latest(op.ended) >= since {
            judge_answers(session, op, (since, destroy), writes, &mut accused, case);
        } else if accused.insert(destroy) {
            accuse(session, op, destroy, "found the session", case);
        }
    }
}

/// An acknowledged operation whose answer depends on the session being there.
fn says_whether_it_exists(op: &OpRecord) -> bool {
    op.outcome.acknowledged()
        && match op.kind {
            OpKind::Read | OpKind::Touch | OpKind::Award => op.presence != Presence::Unsaid,
            OpKind::Append => true,
            OpKind::Create | OpKind::Put | OpKind::Destroy | OpKind::List | OpKind::Count => false,
        }
}

/// The session may rightly be there again, but not with answers written before the destroy began.
fn judge_answers(
    session: &Session<'_>,
    read: &OpRecord,
    (since, destroy): (Nanos, u64),
    writes: &Writes<'_>,
    accused: &mut HashSet<u64>,
    case: &mut Case,
) {
    if !answered_read(read) {
        return;
    }
    let from_before =
        |write: &&OpRecord| write.session == session.number && write.outcome.acknowledged() && write.ended < since;
    let old = session.tokens(read).iter().filter_map(|&token| writes.find(token)).find(from_before);
    if let Some(write) = old
        && accused.insert(destroy)
    {
        let what = format!("shows {} {} from {}", write.kind.name(), write.index, seconds(write.ended));
        accuse(session, read, destroy, &what, case);
    }
}

/// Each destroy is told once, however often what it ended is seen again.
fn accuse(session: &Session<'_>, op: &OpRecord, destroy: u64, what: &str, case: &mut Case) {
    case.offend(Some(session.number), op.ended, &[destroy, op.index], || {
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
        (finding.verdict, finding.offences, finding.examined)
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
    fn a_destroyed_session_found_again_is_told_once() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        let destroy = s.destroy(17, 0).at(2..3).degraded();
        let read = s.read(17, 0).at(4..5).ok();
        s.read(17, 0).at(6..7).ok();
        s.touch(17, 0).at(8..9).ok();
        let finding = s.judged_by(&Resurrection);
        assert_eq!((finding.offences, finding.examined), (1, 3));
        assert_eq!(finding.samples[0].operations, [destroy, read]);
        assert_eq!(
            finding.samples[0].text,
            "session 17: destroy 1 was acknowledged before read 2 at 0.004 s found the session"
        );
    }

    #[test]
    fn an_append_or_touch_that_finds_it_counts_and_brings_nothing_back_rightly() {
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
    fn a_session_made_anew_with_an_answer_from_before_is_a_resurrection() {
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
    fn a_session_made_anew_may_show_answers_of_unknown_outcome_or_beside_the_destroy() {
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
