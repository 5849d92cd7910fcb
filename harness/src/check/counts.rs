//! The number of sessions: a count answered by Redis is at least the number of sessions that certainly existed while it
//! ran, and at most the number of those that may have existed. A session is certain only through operations that Redis
//! itself acknowledged: what a fallback created may not be in Redis yet.

use super::index::{Index, Session};
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::clock::Nanos;
use crate::history::{OpKind, OpRecord, Outcome};
use crate::property::Property;

/// See the module documentation.
pub(super) struct Counts;

impl SessionChecker for Counts {
    fn facts(&self) -> Facts {
        Facts {
            name: "counts",
            formerly: &[],
            about: "a count of the sessions is the number of those that exist",
            words: Words {
                things: "counts of the sessions",
                right: "match the sessions that exist",
                wrong: "count too few or too many",
                nothing: "Redis answered no count",
            },
            relies_on: Property::INDEX,
            stands_alone: false,
            judges: Some(OpKind::Count),
            on_request: false,
            invalid: "a count that Redis answered is smaller than the number of sessions that certainly existed \
                      during the call, or larger than the number that may have existed",
            defects: "an index that keeps expired sessions or forgets live ones; counted keys that are not sessions",
        }
    }

    fn history(&self, index: &Index<'_>, tally: &mut Tally) {
        let answered = |op: &&OpRecord| op.kind == OpKind::Count && op.outcome == Outcome::Ok && op.tokens_len == 1;
        let counts: Vec<&OpRecord> = index.history.ops.ops.iter().filter(answered).collect();
        if counts.is_empty() {
            return;
        }
        if index.part {
            tally.doubt(|| "a count is of all sessions, and the history was judged by parts".into());
            return;
        }
        let (mut certain, mut possible) = (Intervals::default(), Intervals::default());
        for place in 0..index.sessions() {
            let session = index.session(place);
            certain.add(certain_spans(&session, index));
            possible.add(possible_spans(&session, index));
        }
        certain.seal();
        possible.seal();
        for count in counts {
            tally.examine(1);
            let answered = index.history.ops.tokens_of(count)[0];
            let least = certain.that_hold(count.started, count.ended);
            let most = possible.that_touch(count.started, count.ended);
            if answered < least || answered > most {
                tally.violation(None, count.ended, &[count.index], || {
                    let at = seconds(count.ended);
                    format!(
                        "count {} at {at} says {answered}, where there were {least} to {most} sessions",
                        count.index
                    )
                });
            }
        }
    }
}

type Span = (Nanos, Nanos);

/// When `session` was certainly in Redis: from the end of an operation that created, found or extended it, until the
/// first moment at which that life may have been over.
fn certain_spans(session: &Session<'_>, index: &Index<'_>) -> Vec<Span> {
    let sliding = index.history.header.sliding;
    let destroys = session.ops().filter(|op| op.perhaps_destroys());
    let destroys: Vec<Span> = destroys.map(|op| (op.started, index.stores.handed_back(op).latest_effect())).collect();
    let proofs = session.ops().filter(|op| op.outcome == Outcome::Ok && op.certainly_extends(sliding));
    union(proofs.filter_map(|op| {
        let destroyed = destroys.iter().filter(|(_, latest)| *latest >= op.started).map(|(from, _)| *from);
        let until = destroyed.fold(index.expiry.earliest(op.started), Nanos::min);
        (op.ended < until).then_some((op.ended, until))
    }))
}

/// When `session` may have been in Redis: from the start of an operation that may have created or kept it, until a
/// destroy that Redis acknowledged and that was sent after that operation was over, or until the last moment of its
/// lifetime.
fn possible_spans(session: &Session<'_>, index: &Index<'_>) -> Vec<Span> {
    let sliding = index.history.header.sliding;
    let ends = |op: &&OpRecord| op.kind.ends_session() && op.perhaps_effective() && op.outcome == Outcome::Ok;
    let destroys = session.ops().filter(ends);
    let uses = session.ops().filter(|op| op.perhaps_creates() || op.perhaps_extends(sliding));
    union(uses.map(|op| {
        // What a fallback accepted is written to Redis later.
        let latest = if op.outcome == Outcome::Degraded { Nanos::MAX } else { op.latest_effect() };
        let destroyed = destroys.clone().filter(|destroy| destroy.started > latest).map(|destroy| destroy.ended).min();
        let until = index.expiry.latest(latest);
        (op.started, destroyed.map_or(until, |destroyed| until.min(destroyed)))
    }))
}

/// The union of the spans as disjoint spans.
fn union(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut sorted: Vec<Span> = spans.collect();
    sorted.sort_unstable();
    let mut covered: Vec<Span> = Vec::new();
    for (from, until) in sorted {
        match covered.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(until),
            _ => covered.push((from, until)),
        }
    }
    covered
}

/// The spans of many sessions, indexed for counting.
#[derive(Default)]
struct Intervals {
    from: Vec<Nanos>,
    until: Vec<Nanos>,
}

impl Intervals {
    fn add(&mut self, spans: Vec<Span>) {
        for (from, until) in spans {
            self.from.push(from);
            self.until.push(until);
        }
    }

    fn seal(&mut self) {
        self.from.sort_unstable();
        self.until.sort_unstable();
    }

    /// At most the number of spans that contain all of `from..=to`; spans that lie within it lower the result.
    fn that_hold(&self, from: Nanos, to: Nanos) -> u64 {
        let begun = self.from.partition_point(|begun| *begun < from);
        let over = self.until.partition_point(|over| *over <= to);
        begun.saturating_sub(over) as u64
    }

    /// The number of spans that overlap `from..=to`; each span of a session counts.
    fn that_touch(&self, from: Nanos, to: Nanos) -> u64 {
        let begun = self.from.partition_point(|begun| *begun <= to);
        let over = self.until.partition_point(|over| *over < from);
        (begun - over) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::check::testing::Script;

    fn judged(script: Script) -> (Verdict, u64, u64) {
        let finding = script.judged_by(&Counts);
        (finding.verdict, finding.violations, finding.examined)
    }

    /// Three sessions, created one after another.
    fn three() -> Script {
        let mut s = Script::new().ttl(1_000, 10);
        for session in 1..4 {
            s.create(session, 0).at(i64::from(session) * 10..i64::from(session) * 10 + 1).ok();
        }
        s
    }

    #[test]
    fn a_count_of_the_existing_sessions_is_valid() {
        let mut s = three();
        s.count().at(25..26).number(2).ok();
        s.count().at(50..60).number(3).ok();
        s.count().at(5..12).number(0).ok();
        s.count().at(5..12).number(1).ok();
        assert_eq!(judged(s), (Verdict::Valid, 0, 4));
    }

    #[test]
    fn a_count_that_misses_one_or_includes_the_dead_is_reported() {
        let mut s = three();
        let few = s.count().at(50..60).number(2).ok();
        s.count().at(5_000..5_001).number(1).ok();
        let finding = s.judged_by(&Counts);
        assert_eq!((finding.verdict, finding.violations), (Verdict::Invalid, 2));
        assert_eq!(finding.samples[0].text, format!("count {few} at 0.060 s says 2, where there were 3 to 3 sessions"));
    }

    #[test]
    fn what_may_be_destroyed_expired_or_only_in_a_fallback_may_be_counted_or_not() {
        let mut s = three();
        s.destroy(1, 0).at(40..41).unknown();
        s.create(4, 0).at(45..46).degraded();
        s.create(5, 0).at(45..46).unknown();
        for number in 2..6 {
            s.count().at(50..60).number(number).ok();
        }
        s.count().at(50..60).number(9).degraded();
        assert_eq!(judged(s), (Verdict::Valid, 0, 4));
    }

    #[test]
    fn what_is_certainly_destroyed_is_not_counted() {
        let mut s = three();
        s.destroy(1, 0).at(40..41).ok();
        s.count().at(50..60).number(3).ok();
        assert_eq!(judged(s), (Verdict::Invalid, 1, 1));
    }
}
