//! A session's reward is paid out once: every award names the same claimant, unless the session may have been recreated
//! in between. An award of unknown outcome counts once another operation names it. An award acknowledged by a fallback
//! pays nothing: the fallback must settle it.

use super::index::{Index, Session};
use super::lifetime::Spans;
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::history::{OpKind, OpRecord, Outcome, Token};
use crate::property::Property;

/// See the module documentation.
pub(super) struct DoubleAward;

impl SessionChecker for DoubleAward {
    fn facts(&self) -> Facts {
        Facts {
            name: "double-award",
            formerly: &[],
            about: "a session's reward is paid out at most once",
            words: Words {
                things: "replies to claims",
                right: "name one claimant per reward",
                wrong: "name another claimant",
                nothing: "no claim was acknowledged by the store itself",
            },
            relies_on: Property::CLAIMS,
            stands_alone: false,
            judges: None,
            on_request: false,
            invalid: "two answers of the store itself name different claimants of one reward, although no create or \
                      put may have recreated the session in between; or the claimant's own claim certainly failed",
            defects: "a claim that reads and then writes; a resend under a new token",
        }
    }

    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        judge(session, index, tally);
    }
}

/// The claimant named by a final award.
fn claimant(session: &Session<'_>, op: &OpRecord) -> Option<Token> {
    let is_final = op.kind == OpKind::Award && op.outcome == Outcome::Ok;
    session.tokens(op).first().copied().filter(|_| is_final)
}

fn judge(session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
    let mut births: Option<Spans> = None;
    let mut before: Option<(&OpRecord, Token)> = None;
    for op in session.ops() {
        let Some(token) = claimant(session, op) else { continue };
        tally.examine(1);
        if token != op.token()
            && let Some(award) = index.write(token).filter(|award| !award.perhaps_effective())
        {
            accuse(session, award, op, "which was certainly without effect", tally);
        }
        if let Some((earlier, theirs)) = before.replace((op, token))
            && theirs != token
            && births.get_or_insert_with(|| births_of(session)).latest(earlier.ended.max(op.ended)) < earlier.started
        {
            let number = theirs.saturating_sub(1);
            accuse(
                session,
                earlier,
                op,
                &format!("and award {} had said it is award {number}'s", earlier.index),
                tally,
            );
        }
    }
}

/// When the session may have been recreated, with a new reward.
fn births_of(session: &Session<'_>) -> Spans {
    let mut births = Spans::default();
    for op in session.ops().filter(|op| op.perhaps_creates()) {
        births.push(op.started, op.latest_effect());
    }
    births.seal();
    births
}

fn accuse(session: &Session<'_>, other: &OpRecord, op: &OpRecord, how: &str, tally: &mut Tally) {
    tally.violation(Some(session.number), op.ended, &[other.index, op.index], || {
        let (number, at) = (session.number, seconds(op.ended));
        let claimant = claimant(session, op).map_or(0, |token| token.saturating_sub(1));
        format!("session {number}: award {} was told at {at} that the reward is award {claimant}'s, {how}", op.index)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    /// Claims between these milliseconds. The reply says that the reward belongs to `claimant`; `None` means to this
    /// claim.
    fn claims(s: &mut Script, ms: std::ops::Range<i64>, claimant: Option<u64>) -> u64 {
        let line = s.award(17, 0).at(ms);
        let own = line.index();
        line.shows(&[claimant.unwrap_or(own)]).ok()
    }

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&DoubleAward);
        (finding.verdict, finding.violations, finding.examined)
    }

    #[test]
    fn one_claimant_that_is_named_again_and_again_is_valid() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        let first = claims(&mut s, 2..3, None);
        for start in [2, 4, 9] {
            claims(&mut s, start..start + 2, Some(first));
        }
        assert_eq!(judged(s), (Verdict::Valid, 0, 4));
    }

    #[test]
    fn two_claimants_that_both_get_the_reward_are_reported() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        claims(&mut s, 2..5, None);
        claims(&mut s, 3..4, None);
        let finding = s.judged_by(&DoubleAward);
        assert_eq!((finding.violations, finding.examined), (1, 2));
        assert_eq!(finding.samples[0].operations, [1, 2]);
        assert_eq!(
            finding.samples[0].text,
            "session 17: award 2 was told at 0.004 s that the reward is award 2's, and award 1 had said it is award 1's"
        );
    }

    #[test]
    fn a_claim_of_unknown_outcome_counts_once_another_operation_names_it() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        let unknown = s.award(17, 0).at(2..3).unknown();
        claims(&mut s, 4..5, Some(unknown));
        claims(&mut s, 6..7, Some(unknown));
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        let unknown = s.award(17, 0).at(2..3).unknown();
        claims(&mut s, 4..5, None);
        claims(&mut s, 6..7, Some(unknown));
        assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
    }

    #[test]
    fn what_a_fallback_said_pays_nothing() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        let pending = s.award(17, 0).at(2..3);
        let own = pending.index();
        pending.shows(&[own]).degraded();
        claims(&mut s, 4..5, None);
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }

    #[test]
    fn a_recreated_session_has_a_new_reward() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        claims(&mut s, 2..3, None);
        s.put(17, 0).at(4..5).ok();
        claims(&mut s, 6..7, None);
        s.destroy(17, 0).at(8..9).ok();
        s.create(17, 0).at(10..11).unknown();
        claims(&mut s, 12..13, None);
        assert_eq!(judged(s), (Verdict::Valid, 0, 3));
    }

    #[test]
    fn a_put_long_before_both_claims_is_no_excuse() {
        let mut s = Script::new();
        s.put(17, 0).at(0..1).ok();
        claims(&mut s, 2..3, None);
        claims(&mut s, 4..5, None);
        assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
    }

    #[test]
    fn a_claim_that_certainly_failed_must_not_have_the_reward() {
        let mut s = Script::new();
        s.create(17, 0).at(0..1).ok();
        let failed = s.award(17, 0).at(2..3).failed();
        claims(&mut s, 4..5, Some(failed));
        let finding = s.judged_by(&DoubleAward);
        assert_eq!(
            finding.samples.iter().map(|sample| sample.text.as_str()).collect::<Vec<_>>(),
            [
                "session 17: award 2 was told at 0.005 s that the reward is award 1's, which was certainly without effect"
            ]
        );
    }
}
