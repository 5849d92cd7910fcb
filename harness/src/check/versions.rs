//! A version names one state of a session: no two writes that Redis acknowledged are given the same one. This catches a store that
//! works out a version instead of asking for it: a caller that compares and sets with such a version overwrites what another wrote.

use super::index::{Index, Session};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::{Content, OpRecord, Outcome, Presence};
use crate::property::Property;

/// See the module.
pub(super) struct Versions;

impl SessionChecker for Versions {
    fn facts(&self) -> Facts {
        Facts {
            name: "versions",
            formerly: &[],
            about: "no two writes of a session get the same version",
            words: Words {
                things: "versions of writes",
                right: "are given once",
                wrong: "are given twice",
                nothing: "no acknowledged write named a version",
            },
            relies_on: Property::WRITES,
            stands_alone: false,
            judges: None,
            on_request: true,
            invalid: "Redis acknowledged two writes of a session with the same version, although the session was not recreated in \
                      between",
            defects: "a version that the client works out from what it read; two servers that both take writes",
        }
    }

    fn session(&self, session: &Session<'_>, _: &Index<'_>, tally: &mut Tally) {
        let mut writes: Vec<&OpRecord> = session.ops().filter(|op| names_version(op)).collect();
        writes.sort_by_key(|write| (write.version, write.started));
        tally.examine(writes.len() as u64);
        for pair in writes.windows(2) {
            let [first, second] = [pair[0], pair[1]];
            let renumbered = session.lifetime().may_renumber_until(first.ended.max(second.ended));
            if first.version == second.version && first.started > renumbered {
                accuse(session, first, second, tally);
            }
        }
    }
}

/// Whether Redis acknowledged a write of content and named the version that it left. A claim that comes too late only reads.
fn names_version(op: &OpRecord) -> bool {
    op.outcome == Outcome::Ok
        && op.version != 0
        && op.presence != Presence::Absent
        && matches!(op.kind.effects().content, Content::Adds | Content::Replaces)
}

fn accuse(session: &Session<'_>, first: &OpRecord, second: &OpRecord, tally: &mut Tally) {
    tally.violation(Some(session.number), second.ended, &[first.index, second.index], || {
        let (number, version) = (session.number, first.version);
        let said = |op: &OpRecord| format!("{} {} (at {})", op.kind.name(), op.index, seconds(op.ended));
        format!("session {number}: {} and {} were both acknowledged as version {version}", said(first), said(second))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&Versions);
        (finding.verdict, finding.violations, finding.examined)
    }

    #[test]
    fn each_write_has_a_version_of_its_own() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).version(1).ok();
        s.append(1, 0).at(2..3).version(2).ok();
        s.put(1, 5).at(2..4).version(3).ok();
        s.create(2, 0).at(0..1).version(1).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 4));
    }

    #[test]
    fn two_writes_with_one_version_are_named() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).version(1).ok();
        let a = s.append(17, 0).at(2..4).version(2).ok();
        let b = s.append(17, 5).at(3..5).version(2).ok();
        let finding = s.judged_by(&Versions);
        assert_eq!((finding.violations, &finding.samples[0].operations[..]), (1, &[a, b][..]));
        assert_eq!(
            finding.samples[0].text,
            "session 17: append 1 (at 0.004 s) and append 2 (at 0.005 s) were both acknowledged as version 2"
        );
    }

    #[test]
    fn a_recreated_session_counts_again_and_a_fallback_counts_for_itself() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).version(1).ok();
        s.destroy(1, 0).at(2..3).ok();
        s.create(1, 0).at(4..5).version(1).ok();
        s.create(2, 0).at(0..1).version(1).ok();
        s.append(2, 0).at(2..3).version(2).ok();
        s.append(2, 0).at(4..5).version(2).degraded();
        assert_eq!(judged(s), (Verdict::Valid, 0, 4));
    }

    #[test]
    fn a_session_that_may_have_expired_at_the_last_moment_counts_again() {
        let mut s = Script::new().ttl(1_000, 20).not_sliding();
        s.create(1, 0).at(0..1).version(1).ok();
        s.append(1, 0).at(980..981).version(2).ok();
        s.put(1, 0).at(1_960..2_000).version(1).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 3));
    }

    #[test]
    fn a_target_without_versions_is_not_judged() {
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(2..3).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 0));
    }
}
