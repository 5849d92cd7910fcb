//! A session lives as long as promised: it is found until its lifetime has passed since the start of its last use, and
//! it is gone once its lifetime and the slack have passed since the end of its last use. In between, both replies are
//! right. A use that failed or has an unknown outcome may have extended the lifetime.

use super::index::{Index, Session};
use super::lifetime::Existence;
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::clock::Nanos;
use crate::history::OpRecord;
use crate::property::Property;

/// See the module documentation.
pub(super) struct Ttl;

impl SessionChecker for Ttl {
    fn facts(&self) -> Facts {
        Facts {
            name: "ttl",
            formerly: &[],
            about: "no session ends before its lifetime is over, or is found long after",
            words: Words {
                things: "answers whether a session exists",
                right: "agree with its lifetime",
                wrong: "contradict its lifetime",
                nothing: "no session was asked for after it was made",
            },
            relies_on: Property::EXPIRY.union(Property::LIFETIMES),
            stands_alone: false,
            judges: None,
            on_request: false,
            invalid: "\"no such session\" while the session must exist (gone too early), or found although its last \
                      possible use is further back than lifetime and slack (alive too long)",
            defects: "expiry that does not slide; sessions lost in an outage; an ignored lifetime",
        }
    }

    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        if session.ops().any(OpRecord::denies_session) {
            judge_gone(session, index, tally);
        }
        judge_found(session, index, tally);
    }
}

/// Gone too early: "no such session" although it must have existed.
fn judge_gone(session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
    let mut reported = None;
    for op in session.ops().filter(|op| op.denies_session()) {
        match session.existence(op) {
            Existence::Unproven | Existence::PerhapsDestroyed => continue,
            Existence::PerhapsExpired => tally.examine(1),
            Existence::Certain { extended_by, until } => {
                tally.examine(1);
                // Report a loss once: until the session is known to exist again, it is the same loss.
                if reported.replace(extended_by) != Some(extended_by) {
                    tally.violation(Some(session.number), op.ended, &[extended_by, op.index], || {
                        let (number, kind, at) = (session.number, op.kind.name(), seconds(op.ended));
                        let (until, early) = (seconds(until), seconds(until.saturating_sub(op.ended)));
                        format!(
                            "session {number}: {kind} {} at {at} found no such session, although operation {extended_by} \
                             let it live until {until}: gone {early} too early",
                            op.index
                        )
                    });
                    if let Some(last) = index.write(extended_by + 1) {
                        tally.because(index.causes.of_loss(last, op.started), last);
                    }
                }
            }
        }
    }
}

/// Alive too long: found although lifetime and slack have passed since its last possible use. Stops at the first
/// destroy that may have ended the session: the resurrection checker judges what is found afterwards.
fn judge_found(session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
    let sliding = index.history.header.sliding;
    let mut bound: Option<Bound> = None;
    // The latest moment at which any use so far can have extended a life, even one that has yet to begin.
    let mut last_use: Option<Bound> = None;
    for op in session.ops() {
        if op.perhaps_destroys() {
            return;
        }
        let dead = bound.filter(|bound| op.started > bound.until);
        let found = op.found_session();
        if found && bound.is_some() {
            tally.examine(1);
        }
        let born_meanwhile = || {
            let overlaps = |birth: &OpRecord| (op.started..=op.ended).contains(&birth.started);
            session.ops().any(|birth| birth.perhaps_creates() && overlaps(birth))
        };
        if let Some(bound) = dead.filter(|_| found && !born_meanwhile()) {
            accuse(session, op, bound, tally);
        }
        // Once found, the session is alive, however wrongly: otherwise this one late answer would make all later ones
        // late.
        let revived = found && (bound.is_none() || dead.is_some());
        let extends = op.perhaps_extends(sliding);
        if op.perhaps_creates() || revived || extends {
            last_use = later(last_use, Bound { until: op.latest_effect(), by: op.index });
        }
        if op.perhaps_creates() || revived || (extends && bound.is_some() && dead.is_none()) {
            let used = last_use.filter(|used| used.until >= op.started);
            bound = used.map_or(bound, |used| later(bound, Bound { until: index.expiry.latest(used.until), ..used }));
        }
    }
}

/// A moment, and the operation whose use makes it that late.
#[derive(Debug, Clone, Copy)]
struct Bound {
    until: Nanos,
    by: u64,
}

fn later(a: Option<Bound>, b: Bound) -> Option<Bound> {
    Some(a.filter(|a| a.until >= b.until).unwrap_or(b))
}

fn accuse(session: &Session<'_>, op: &OpRecord, bound: Bound, tally: &mut Tally) {
    tally.violation(Some(session.number), op.ended, &[bound.by, op.index], || {
        let (number, kind, at, until) = (session.number, op.kind.name(), seconds(op.started), seconds(bound.until));
        let late = seconds(op.started.saturating_sub(bound.until));
        format!(
            "session {number}: {kind} {} at {at} found it, although its last use (operation {}) let it live until \
             {until} at most: alive {late} too long",
            op.index, bound.by
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;
    use crate::history::Note;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&Ttl);
        (finding.verdict, finding.violations, finding.examined)
    }

    /// Sessions live for a second, give or take 50 ms.
    fn one_second() -> Script {
        Script::new().ttl(1_000, 50)
    }

    #[test]
    fn found_within_the_lifetime_and_gone_after_it_is_valid() {
        let mut s = one_second();
        s.create(1, 0).at(0..10).ok();
        s.read(1, 0).at(900..901).ok();
        s.read(1, 0).at(1_800..1_801).ok();
        s.read(1, 0).at(2_900..2_901).absent();
        assert_eq!(judged(s), (Verdict::Valid, 0, 3));
    }

    #[test]
    fn a_jump_of_time_ends_what_was_idle_and_spares_what_was_used_since() {
        let judged = |tally: fn(&mut Script)| {
            let mut s = one_second();
            s.note(Note::ClockJumped { at: 100_000_000, until: 110_000_000, by_ns: 3_600_000_000_000 });
            s.create(1, 0).at(0..1).ok();
            tally(&mut s);
            judged(s)
        };
        let gone = judged(|s| {
            s.read(1, 0).at(120..121).absent();
        });
        assert_eq!(gone, (Verdict::Valid, 0, 1));
        let found_though_idle = judged(|s| {
            s.read(1, 0).at(120..121).ok();
        });
        assert_eq!(found_though_idle, (Verdict::Invalid, 1, 1));
        let used_meanwhile = judged(|s| {
            s.touch(1, 0).at(104..106).ok();
            s.read(1, 0).at(120..121).ok();
        });
        assert_eq!(used_meanwhile.0, Verdict::Valid);
        let gone_before_the_jump = judged(|s| {
            s.read(1, 0).at(90..95).absent();
        });
        assert_eq!(gone_before_the_jump, (Verdict::Invalid, 1, 1));
    }

    #[test]
    fn gone_before_its_lifetime_has_run_out_is_too_early_and_reported_once() {
        let mut s = one_second();
        s.create(17, 0).at(0..1).ok();
        let touch = s.touch(17, 0).at(500..501).ok();
        let read = s.read(17, 0).at(1_400..1_401).absent();
        s.append(17, 0).at(1_410..1_411).absent();
        let finding = s.judged_by(&Ttl);
        assert_eq!((finding.violations, finding.examined), (1, 3));
        assert_eq!(finding.samples[0].operations, [touch, read]);
        assert_eq!(
            finding.samples[0].text,
            "session 17: read 2 at 1.401 s found no such session, although operation 1 let it live until 1.450 s: \
             gone 0.049 s too early"
        );
    }

    #[test]
    fn around_the_end_of_its_lifetime_both_answers_are_right() {
        let mut s = one_second();
        s.create(1, 0).at(0..10).ok();
        s.read(1, 0).at(950..951).absent();
        s.create(2, 0).at(0..10).ok();
        s.read(2, 0).at(1_060..1_061).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
    }

    #[test]
    fn found_after_lifetime_and_slack_is_alive_too_long() {
        let mut s = one_second();
        let create = s.create(17, 0).at(0..10).ok();
        let read = s.read(17, 0).at(1_061..1_062).ok();
        s.read(17, 0).at(1_900..1_901).ok();
        let finding = s.judged_by(&Ttl);
        assert_eq!((finding.violations, finding.examined), (1, 2));
        assert_eq!(finding.samples[0].operations, [create, read]);
        assert_eq!(
            finding.samples[0].text,
            "session 17: read 1 at 1.061 s found it, although its last use (operation 0) let it live until 1.060 s at \
             most: alive 0.001 s too long"
        );
    }

    #[test]
    fn reads_extend_a_life_only_where_the_lifetime_slides() {
        let found_late = |mut s: Script| {
            s.create(1, 0).at(0..1).ok();
            s.read(1, 0).at(900..901).ok();
            s.read(1, 0).at(1_500..1_501).ok();
            judged(s).1
        };
        assert_eq!(found_late(one_second()), 0);
        assert_eq!(found_late(one_second().not_sliding()), 1);
        let gone = |mut s: Script| {
            s.create(1, 0).at(0..1).ok();
            s.read(1, 0).at(900..901).ok();
            s.read(1, 0).at(1_500..1_501).absent();
            judged(s).1
        };
        assert_eq!(gone(one_second()), 1);
        assert_eq!(gone(one_second().not_sliding()), 0);
    }

    #[test]
    fn a_use_that_failed_may_have_extended_it_but_is_not_sure_to_have() {
        let mut s = one_second();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(900..901).failed();
        s.read(1, 0).at(1_500..1_501).ok();
        s.create(2, 0).at(0..1).ok();
        s.append(2, 0).at(900..901).failed();
        s.read(2, 0).at(1_500..1_501).absent();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
    }

    #[test]
    fn a_use_of_unknown_outcome_may_extend_it_at_any_later_time() {
        let mut s = one_second();
        s.create(1, 0).at(0..1).ok();
        s.touch(1, 0).at(900..901).unknown();
        s.read(1, 0).at(5_000..5_001).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }

    #[test]
    fn a_use_after_its_certain_end_extends_nothing() {
        let mut s = one_second();
        s.create(1, 0).at(0..1).ok();
        s.touch(1, 0).at(2_000..2_001).unknown();
        s.read(1, 0).at(2_500..2_501).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
    }

    #[test]
    fn a_recreated_session_has_a_new_lifetime() {
        let mut s = one_second();
        s.create(1, 0).at(0..1).ok();
        s.put(1, 0).at(3_000..3_001).ok();
        s.read(1, 0).at(3_900..3_901).ok();
        s.create(2, 0).at(0..1).ok();
        s.create(2, 0).at(3_000..3_001).unknown();
        s.read(2, 0).at(9_900..9_901).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
    }

    #[test]
    fn a_session_that_is_recreated_during_a_read_may_be_found() {
        let mut s = one_second().not_sliding();
        s.create(1, 0).at(0..1).ok();
        s.read(1, 0).at(3_000..3_100).ok();
        s.create(1, 0).at(3_050..3_060).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }

    #[test]
    fn a_use_of_unknown_outcome_sent_before_the_session_was_made_may_extend_it() {
        let mut s = one_second();
        s.touch(1, 0).at(0..1).unknown();
        s.create(1, 0).at(2..3).ok();
        s.read(1, 0).at(3_000..3_001).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 1));
    }

    #[test]
    fn a_failed_use_of_a_session_not_known_yet_bounds_nothing() {
        let mut s = one_second();
        s.append(1, 0).at(0..1).failed();
        s.read(1, 0).at(3_000..3_100).ok();
        assert!(s.judged_by(&Ttl).vacuous());
    }

    #[test]
    fn a_session_perhaps_destroyed_is_not_judged() {
        let mut s = one_second();
        s.create(1, 0).at(0..1).ok();
        s.destroy(1, 0).at(2..3).unknown();
        s.read(1, 0).at(4..5).absent();
        s.read(1, 0).at(5_000..5_001).ok();
        assert!(s.judged_by(&Ttl).vacuous());
    }

    #[test]
    fn a_session_never_known_to_be_there_may_be_absent() {
        let mut s = one_second();
        s.create(1, 0).at(0..1).unknown();
        s.read(1, 0).at(4..5).absent();
        s.read(2, 0).at(4..5).absent();
        assert!(s.judged_by(&Ttl).vacuous());
    }

    #[test]
    fn a_failed_operation_that_says_no_such_session_is_judged_by_it() {
        let mut s = one_second();
        s.create(1, 0).at(0..1).ok();
        s.append(1, 0).at(4..5).not_found();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
    }

    #[test]
    fn a_session_first_seen_when_found_is_judged_from_there() {
        let mut s = one_second().not_sliding();
        s.read(1, 0).at(0..1).ok();
        s.read(1, 0).at(1_052..1_053).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
    }
}
