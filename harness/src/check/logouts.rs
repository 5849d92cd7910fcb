//! A logout everywhere ends every session of its user: no operation finds one of them afterwards, unless it may have been
//! made again since, or may have got a new id while the logout was under way.

use super::index::{Index, Session};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::{OpKind, OpRecord};
use crate::property::Property;

/// See the module documentation.
pub(super) struct Logouts;

impl SessionChecker for Logouts {
    fn facts(&self) -> Facts {
        Facts {
            name: "logouts",
            formerly: &[],
            about: "no session of a user is found after a logout everywhere",
            words: Words {
                things: "replies after a logout everywhere",
                right: "do not show what it ended",
                wrong: "show a session that it should have ended",
                nothing: "no operation asked for a session after its user was logged out everywhere",
            },
            relies_on: Property::DESTROYS.union(Property::INDEX),
            stands_alone: false,
            judges: Some(OpKind::LogoutEverywhere),
            on_request: false,
            invalid: "a session of a user is found after a logout everywhere was acknowledged, although no create or put \
                      may have made it since",
            defects: "an index that lacks sessions; a logout that ends what the process knows and forgets the rest",
        }
    }

    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        // One that found its own session gone ended none.
        let is_logout =
            |op: &&OpRecord| op.kind == OpKind::LogoutEverywhere && op.outcome.acknowledged() && op.perhaps_effective();
        let logouts: Vec<&OpRecord> = session.ops().filter(is_logout).collect();
        if logouts.is_empty() {
            return;
        }
        let mut accused = hashbrown::HashSet::new();
        for op in session.ops().filter(|op| op.says_whether_found()) {
            let viewpoint = index.stores.viewpoint(op);
            let over = |logout: &&&OpRecord| {
                let told = index.stores.known(logout, viewpoint);
                told.outcome.acknowledged() && told.ended < op.started
            };
            let Some(logout) = logouts.iter().filter(over).max_by_key(|logout| logout.started) else { continue };
            tally.examine(1);
            if op.found_session() && !may_be_there(session, logout, op) && accused.insert(logout.index) {
                tally.violation(Some(session.number), op.ended, &[logout.index, op.index], || {
                    let (number, kind, at) = (session.number, op.kind.name(), seconds(op.started));
                    format!(
                        "session {number}: logout {} of its user was acknowledged before {kind} {} at {at} found it",
                        logout.index, op.index
                    )
                });
            }
        }
    }
}

/// Whether the session may have been made since the logout began, or have got another id while it was under way.
fn may_be_there(session: &Session<'_>, logout: &OpRecord, op: &OpRecord) -> bool {
    session.ops().any(|other| {
        let since = other.latest_effect() >= logout.started;
        let made = other.perhaps_creates() && other.started <= op.ended;
        let renewed = other.kind == OpKind::Renew && other.perhaps_effective() && other.started <= logout.ended;
        since && (made || renewed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    /// Two sessions of one user, who is logged out by one of them from 4 to 5 ms.
    fn logged_out(then: impl FnOnce(&mut Script)) -> (Verdict, u64, u64) {
        let mut s = Script::new().sessions_per_user(2);
        s.create(0, 0).at(0..1).ok();
        s.create(1, 0).at(0..1).ok();
        s.line(OpKind::LogoutEverywhere, 0, 0).at(4..5).ok();
        then(&mut s);
        let finding = s.judged_by(&Logouts);
        (finding.verdict, finding.violations, finding.examined)
    }

    #[test]
    fn sessions_that_nobody_finds_afterwards_are_valid() {
        let judged = logged_out(|s| {
            s.read(0, 0).at(6..7).absent();
            s.read(1, 0).at(6..7).absent();
        });
        assert_eq!(judged, (Verdict::Valid, 0, 2));
    }

    #[test]
    fn another_session_of_the_user_that_is_found_is_reported_once() {
        let judged = logged_out(|s| {
            s.read(1, 0).at(6..7).ok();
            s.append(1, 0).at(8..9).ok();
        });
        assert_eq!(judged, (Verdict::Invalid, 1, 2));
    }

    #[test]
    fn a_session_made_since_or_renewed_meanwhile_may_be_found() {
        let judged = logged_out(|s| {
            s.put(1, 0).at(6..7).unknown();
            s.read(1, 0).at(8..9).ok();
        });
        assert_eq!(judged, (Verdict::Valid, 0, 1));
        let mut s = Script::new().sessions_per_user(2);
        s.create(1, 0).at(0..1).ok();
        s.line(OpKind::Renew, 1, 0).at(3..6).ok();
        s.line(OpKind::LogoutEverywhere, 0, 0).at(4..5).ok();
        s.read(1, 0).at(8..9).ok();
        assert_eq!(s.judged_by(&Logouts).verdict, Verdict::Valid);
    }

    #[test]
    fn a_user_of_another_session_stays() {
        let mut s = Script::new().sessions_per_user(2);
        s.create(2, 0).at(0..1).ok();
        s.line(OpKind::LogoutEverywhere, 0, 0).at(4..5).ok();
        s.read(2, 0).at(6..7).ok();
        assert!(s.judged_by(&Logouts).vacuous());
    }

    #[test]
    fn a_logout_of_unknown_outcome_or_under_way_promises_nothing() {
        let mut s = Script::new().sessions_per_user(2);
        s.create(1, 0).at(0..1).ok();
        s.line(OpKind::LogoutEverywhere, 0, 0).at(2..3).unknown();
        s.line(OpKind::LogoutEverywhere, 0, 0).at(4..9).ok();
        s.read(1, 0).at(6..7).ok();
        assert!(s.judged_by(&Logouts).vacuous());
    }
}
