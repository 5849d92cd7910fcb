//! A counter loses nothing and makes nothing up: a read shows at least the increments that were acknowledged before it was
//! sent, and at most those that may have happened until it was answered; and it does not fall. All of this holds from one
//! moment at which the session may have begun anew (a destroy, an expiry) to the next. An increment of unknown outcome may
//! show or not.

use firedrill_reports::text::counted;

use super::index::{Index, Session};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::clock::Nanos;
use crate::history::{OpKind, OpRecord, Outcome, Presence, Step};
use crate::property::Property;

/// See the module documentation.
pub(super) struct Counter;

impl SessionChecker for Counter {
    fn facts(&self) -> Facts {
        Facts {
            name: "counter",
            formerly: &[],
            about: "a counter shows every acknowledged increment, and no more than there can be",
            words: Words {
                things: "increments",
                right: "are shown by reads",
                wrong: "were lost or made up",
                nothing: "no session is a counter that was incremented and read",
            },
            relies_on: Property::WRITES,
            stands_alone: false,
            judges: Some(OpKind::Increment),
            on_request: false,
            invalid: "a read of a counter shows fewer increments than were acknowledged before it, fewer than an earlier \
                      read showed, or more than can have happened",
            defects: "a number that is read, increased and written back; an increment that is sent again although it took \
                      effect",
        }
    }

    fn session(&self, session: &Session<'_>, index: &Index<'_>, tally: &mut Tally) {
        if index.history.header.counter {
            judge(session, tally);
        }
    }
}

/// A read, and the number that it shows.
type Shown<'h> = (&'h OpRecord, u64);

fn judge(session: &Session<'_>, tally: &mut Tally) {
    let increments: Vec<&OpRecord> =
        session.ops().filter(|op| op.kind == OpKind::Increment && op.perhaps_effective()).collect();
    let answered = session.ops().filter(|op| op.is_answered_read() && op.presence != Presence::Absent);
    let reads: Vec<Shown<'_>> = answered.filter_map(|read| Some((read, session.counted(read)?))).collect();
    let perhaps_expired = session.perhaps_expired_from();
    let (mut least, mut most) = (Least::default(), Most::default());
    for &(read, number) in &reads {
        // What is found of a session that was destroyed is the resurrection checker's to judge.
        if session.destroyed_for(read).certain_for(read).is_some() {
            continue;
        }
        most.turn_to(session, read, &increments);
        let possible = most.possible(read);
        let mut floor = (0, None);
        if read.ended < perhaps_expired {
            least.turn_to(session, read, &increments, &reads);
            floor = least.floor(read);
        }
        let (surplus, short) = (number.saturating_sub(possible), floor.0.saturating_sub(number));
        tally.examine(newly(possible + surplus, &mut most.examined));
        report(session, (read, number), newly(surplus, &mut most.told), tally, || {
            format!("where at most {possible} increments can have happened")
        });
        report(session, (read, number), newly(short, &mut least.told), tally, || match floor.1 {
            Some(earlier) => format!("although read {earlier} had shown {}", floor.0),
            None => format!("after {}", counted(floor.0, "acknowledged increment")),
        });
    }
    let unanswered = session.ops().find(|op| {
        op.step == Step::Final && op.kind == OpKind::Read && !op.is_answered_read() && !increments.is_empty()
    });
    if let Some(read) = unanswered {
        let (number, at, why) = (session.number, seconds(read.started), read.cause.name());
        tally.doubt(|| format!("the final read of session {number} at {at} was not answered ({why})"));
    }
}

/// By how much `now` exceeds what there was, which it replaces then.
fn newly(now: u64, before: &mut u64) -> u64 {
    let more = now.saturating_sub(*before);
    *before += more;
    more
}

/// Counts `wrong` increments more than were reported before.
fn report(
    session: &Session<'_>,
    (read, shown): Shown<'_>,
    wrong: u64,
    tally: &mut Tally,
    how: impl FnOnce() -> String,
) {
    if wrong == 0 {
        return;
    }
    tally.violation(Some(session.number), read.ended, &[read.index], || {
        let (number, index, at) = (session.number, read.index, seconds(read.started));
        format!("session {number}: read {index} at {at} shows {shown}, {}", how())
    });
    tally.further_violations(wrong - 1);
}

/// What reads must show since the session may last have begun anew.
#[derive(Default)]
struct Least {
    /// Where it may have begun anew.
    since: Option<Nanos>,
    /// The ends of the increments that Redis acknowledged, and of all that were acknowledged.
    by_redis: Vec<Nanos>,
    by_any: Vec<Nanos>,
    /// The reads, by their end, each with the highest number so far and who showed it.
    shown: Vec<(Nanos, u64, u64)>,
    /// How many are already reported as lost.
    told: u64,
}

impl Least {
    fn turn_to(&mut self, session: &Session<'_>, read: &OpRecord, increments: &[&OpRecord], reads: &[Shown<'_>]) {
        let since = session.lifetime_for(read).may_miss_until(read, &[]);
        if self.since.replace(since) == Some(since) {
            return;
        }
        let acknowledged = increments.iter().filter(|op| op.outcome.acknowledged() && op.started > since);
        let ends = |of: &dyn Fn(&OpRecord) -> bool| {
            let mut ends: Vec<Nanos> = acknowledged.clone().filter(|op| of(op)).map(|op| op.ended).collect();
            ends.sort_unstable();
            ends
        };
        (self.by_redis, self.by_any) = (ends(&|op| op.outcome == Outcome::Ok), ends(&|_| true));
        let by_redis = reads.iter().filter(|(read, _)| read.outcome == Outcome::Ok && read.started > since);
        self.shown = by_redis.map(|(read, number)| (read.ended, *number, read.index)).collect();
        self.shown.sort_unstable();
        for at in 1..self.shown.len() {
            let (_, number, by) = self.shown[at - 1];
            if number > self.shown[at].1 {
                (self.shown[at].1, self.shown[at].2) = (number, by);
            }
        }
        self.told = 0;
    }

    /// The least that `read` must show, and the earlier read that shows it. A fallback is not expected to know what others
    /// were told, and what a fallback was told is expected in the end.
    fn floor(&self, read: &OpRecord) -> (u64, Option<u64>) {
        let over = |ends: &[Nanos]| ends.partition_point(|end| *end < read.started) as u64;
        let owed = match (read.step, read.outcome) {
            (Step::Final, _) => over(&self.by_any),
            (_, Outcome::Ok) => over(&self.by_redis),
            _ => return (0, None),
        };
        let earlier = self.shown.partition_point(|(end, ..)| *end < read.started);
        match self.shown[..earlier].last() {
            Some((_, number, by)) if *number > owed => (*number, Some(*by)),
            _ => (owed, None),
        }
    }
}

/// What reads can show since the session was last destroyed for certain.
#[derive(Default)]
struct Most {
    since: Option<Nanos>,
    /// When the increments that may show began.
    begun: Vec<Nanos>,
    /// How many are already reported as made up.
    told: u64,
    /// How many are already counted as examined.
    examined: u64,
}

impl Most {
    fn turn_to(&mut self, session: &Session<'_>, read: &OpRecord, increments: &[&OpRecord]) {
        let since = session.destroyed_for(read).before(read).map_or(Nanos::MIN, |(since, _)| since);
        if self.since.replace(since) == Some(since) {
            return;
        }
        let may_show = increments.iter().filter(|op| op.latest_effect() >= since);
        self.begun = may_show.map(|op| op.started).collect();
        self.begun.sort_unstable();
        (self.told, self.examined) = (0, 0);
    }

    fn possible(&self, read: &OpRecord) -> u64 {
        self.begun.partition_point(|begun| *begun <= read.ended) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&Counter);
        (finding.verdict, finding.violations, finding.examined)
    }

    /// A counter with two acknowledged increments and one of unknown outcome.
    fn script() -> Script {
        let mut s = Script::new().counter();
        s.create(1, 0).at(0..1).ok();
        s.increment(1, 0).at(2..3).ok();
        s.increment(1, 1).at(2..4).degraded();
        s.increment(1, 0).at(5..6).unknown();
        s
    }

    #[test]
    fn a_number_between_the_acknowledged_and_the_possible_increments_is_valid() {
        for number in [2, 3] {
            let mut s = script();
            s.read(1, 0).at(7..8).number(number).ok();
            s.increment(1, 0).at(9..10).failed();
            s.increment(1, 0).at(9..10).absent();
            s.read(1, 0).at(11..12).finally().number(3).ok();
            assert_eq!(judged(s), (Verdict::Valid, 0, 3));
        }
    }

    #[test]
    fn every_lost_increment_counts_once() {
        let mut s = script();
        s.read(1, 0).at(7..8).number(0).ok();
        s.read(1, 0).at(9..10).number(0).ok();
        s.read(1, 0).at(11..12).finally().number(0).ok();
        let finding = s.judged_by(&Counter);
        assert_eq!((finding.verdict, finding.violations), (Verdict::Invalid, 2));
        assert_eq!(
            finding.samples.iter().map(|sample| sample.text.as_str()).collect::<Vec<_>>(),
            [
                "session 1: read 4 at 0.007 s shows 0, after 1 acknowledged increment",
                "session 1: read 6 at 0.011 s shows 0, after 2 acknowledged increments"
            ]
        );
    }

    #[test]
    fn a_number_above_the_possible_increments_or_below_an_earlier_read_is_a_violation() {
        let mut s = script();
        s.increment(1, 0).at(7..8).failed();
        s.read(1, 0).at(9..10).number(4).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 4));
        let mut s = script();
        s.read(1, 0).at(7..8).number(3).ok();
        s.read(1, 5).at(9..10).number(2).ok();
        let finding = s.judged_by(&Counter);
        assert_eq!(finding.samples[0].text, "session 1: read 5 at 0.009 s shows 2, although read 4 had shown 3");
    }

    #[test]
    fn a_session_that_may_have_begun_anew_may_show_less_and_never_what_was_before() {
        let mut s = script();
        s.destroy(1, 0).at(10..11).ok();
        s.create(1, 0).at(12..13).ok();
        s.increment(1, 0).at(14..15).ok();
        s.read(1, 0).at(16..17).number(1).ok();
        // One of unknown outcome may come now.
        s.read(1, 0).at(18..19).number(2).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2));
        let mut s = script();
        s.destroy(1, 0).at(10..11).ok();
        s.create(1, 0).at(12..13).ok();
        s.read(1, 0).at(16..17).number(2).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 2));
        let mut s = Script::new().counter().ttl(100, 10);
        s.create(1, 0).at(0..1).ok();
        s.increment(1, 0).at(2..3).ok();
        s.increment(1, 0).at(500..501).ok();
        s.read(1, 0).at(502..503).number(1).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 2), "it may have expired");
    }

    #[test]
    fn a_fallback_knows_what_it_knows_and_a_final_read_without_an_answer_is_a_doubt() {
        let mut s = script();
        s.read(1, 0).at(7..8).number(0).degraded();
        s.read(1, 0).at(9..10).finally().failed();
        assert_eq!(judged(s), (Verdict::Unknown, 0, 3));
        let mut s = Script::new();
        s.create(1, 0).at(0..1).ok();
        s.read(1, 0).at(7..8).ok();
        assert!(s.judged_by(&Counter).vacuous(), "a list is no counter");
    }
}
