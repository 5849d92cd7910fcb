//! Health answers agree with what the load sees. "Up" is a lie while a fault is on, every operation was refused or
//! answered by the fallback for longer than any deadline lasts, and this goes on afterwards. "Degraded" and "down" are
//! lies if they are repeated long after the last fault, while Redis answers every operation.
//!
//! Only what the load saw counts, not what a fault is meant to do: many faults leave Redis reachable.

use super::index::Index;
use super::tally::{Tally, Words, seconds};
use super::{Facts, SessionChecker};
use crate::clock::Nanos;
use crate::history::{Cause, Note, OpKind, OpRecord, Outcome};
use crate::property::Property;

/// See the module documentation.
pub(super) struct HealthAnswers;

impl SessionChecker for HealthAnswers {
    fn facts(&self) -> Facts {
        Facts {
            name: "health-answers",
            formerly: &[],
            about: "health answers agree with what the load sees",
            words: Words {
                things: "health answers",
                right: "agree with what the load saw",
                wrong: "say something else",
                nothing: "nobody asked about health while every operation was answered by Redis, or none was",
            },
            relies_on: Property::empty(),
            stands_alone: false,
            judges: Some(OpKind::Health),
            on_request: false,
            invalid: "health says \"up\" although a fault is on and Redis has answered no operation for seconds; or it \
                      says \"degraded\" or \"down\" again and again, seconds after the last fault, although Redis answers \
                      every operation",
            defects: "a health check that looks at the configuration, or at a cached state; one that never recovers",
        }
    }

    fn history(&self, index: &Index<'_>, tally: &mut Tally) {
        let ops = &index.history.ops.ops;
        let asked: Vec<&OpRecord> = ops.iter().filter(|op| op.kind == OpKind::Health).collect();
        if asked.is_empty() {
            return;
        }
        if index.part {
            tally.doubt(|| "health is that of all sessions, and the history was judged by parts".into());
            return;
        }
        let seen = Seen::by(ops);
        let faults = faults(&index.history.notes);
        let well = Times::of(asked.iter().filter(|health| says_up(health)).map(|health| health.ended));
        let unwell = Times::of(asked.iter().filter(|health| !says_up(health)).map(|health| health.ended));
        for health in asked {
            let (from, until) = (health.started - LONG, health.ended);
            let on = |(on, off): &(Nanos, Nanos)| *on <= from && *off >= until;
            let near = |(on, off): &(Nanos, Nanos)| *on <= until && *off >= from;
            let gone = faults.iter().any(on)
                && seen.tried.within(from, until) >= ENOUGH
                && seen.by_redis.within(from, until + A_MOMENT) == 0;
            let back = !faults.iter().any(near)
                && seen.tried.began_by(from)
                && seen.by_redis.within(from, until) >= ENOUGH
                && seen.otherwise.within(from, until + A_MOMENT) == 0;
            let repeated = well.within(from, until) == 0 && unwell.within(from, until) > 1;
            if gone || back {
                tally.examine(1);
            }
            if gone && says_up(health) {
                accuse(health, "up", "Redis had answered no operation", tally);
            } else if back && !says_up(health) && repeated {
                let said = if health.outcome == Outcome::Degraded { "degraded" } else { "down" };
                accuse(health, said, "Redis had answered every operation", tally);
            }
        }
    }
}

/// Longer than the deadlines of a call and of a health check, and than a store needs to notice.
const LONG: Nanos = 3_000_000_000;

/// An answer that was on its way may arrive this much earlier than others.
const A_MOMENT: Nanos = 500_000_000;

/// Fewer operations show nothing.
const ENOUGH: usize = 10;

fn says_up(health: &OpRecord) -> bool {
    health.outcome == Outcome::Ok
}

fn accuse(health: &OpRecord, said: &str, seen: &str, tally: &mut Tally) {
    tally.violation(None, health.ended, &[health.index], || {
        let (at, index) = (seconds(health.ended), health.index);
        let span = LONG as f64 / 1e9;
        format!("health {index} says \"{said}\" at {at}, although {seen} for {span} s")
    });
}

/// Moments, in order.
struct Times(Vec<Nanos>);

impl Times {
    fn of(times: impl Iterator<Item = Nanos>) -> Self {
        let mut times: Vec<Nanos> = times.collect();
        times.sort_unstable();
        Self(times)
    }

    /// Whether the first is at `at` or earlier: nothing is known of the time before it.
    fn began_by(&self, at: Nanos) -> bool {
        self.0.first().is_some_and(|first| *first <= at)
    }

    /// How many are from `from` to `until`.
    fn within(&self, from: Nanos, until: Nanos) -> usize {
        self.0.partition_point(|at| *at <= until).saturating_sub(self.0.partition_point(|at| *at < from))
    }
}

/// What the load saw of Redis.
struct Seen {
    /// When operations on sessions were sent.
    tried: Times,
    /// When Redis's answers came, refusals included.
    by_redis: Times,
    /// When operations ended that Redis did not acknowledge.
    otherwise: Times,
}

impl Seen {
    fn by(ops: &[OpRecord]) -> Self {
        let on_sessions = || ops.iter().filter(|op| !op.kind.is_survey());
        let ended = |how: fn(&OpRecord) -> bool| Times::of(on_sessions().filter(|op| how(op)).map(|op| op.ended));
        Self {
            tried: Times::of(on_sessions().map(|op| op.started)),
            by_redis: ended(|op| op.outcome == Outcome::Ok || op.cause == Cause::Refused),
            otherwise: ended(|op| op.outcome != Outcome::Ok),
        }
    }
}

/// When each fault was on; for ever if it was never seen to be off.
fn faults(notes: &[Note]) -> Vec<(Nanos, Nanos)> {
    let mut on: Vec<(u32, Nanos, Nanos)> = Vec::new();
    for note in notes {
        match note {
            Note::FaultOn { at, fault, .. } => on.push((*fault, *at, Nanos::MAX)),
            Note::FaultOff { at, fault, .. } => {
                if let Some(last) = on.iter_mut().rev().find(|(same, ..)| same == fault) {
                    last.2 = *at;
                }
            }
            _ => {}
        }
    }
    on.into_iter().map(|(_, from, until)| (from, until)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::{Entry, Script};
    use crate::check::{Finding, Verdict};

    const MS: Nanos = 1_000_000;

    /// A read every 100 ms for 20 s, answered by Redis except from 5 s to 10 s, when a fault is on.
    fn outage() -> Script {
        let mut s = Script::new();
        let kind = || "proxy.down".to_owned();
        s.note(Note::FaultOn { at: 5_000 * MS, fault: 0, kind: kind() });
        s.note(Note::FaultOff { at: 10_000 * MS, fault: 0, kind: kind() });
        for at in (0..20_000).step_by(100) {
            let read = s.read(1, 0).at(at..at + 1);
            if (5_000..10_000).contains(&at) {
                read.degraded()
            } else {
                read.ok()
            };
        }
        s
    }

    fn asked(times: &[i64], says: fn(Entry<'_>) -> u64) -> Finding {
        let mut s = outage();
        for at in times {
            says(s.line(OpKind::Health, 1, 0).at(*at..at + 1));
        }
        s.judged_by(&HealthAnswers)
    }

    #[test]
    fn up_is_a_lie_only_long_after_redis_has_gone() {
        let up = |at| asked(&[at], |health| health.ok()).verdict;
        assert_eq!(up(9_000), Verdict::Invalid);
        for at in [4_000, 6_000, 9_900, 15_000] {
            assert_eq!(up(at), Verdict::Valid, "{at}");
        }
        let lie = asked(&[9_000], |health| health.ok());
        assert_eq!(
            lie.samples[0].text,
            "health 200 says \"up\" at 9.001 s, although Redis had answered no operation for 3 s"
        );
    }

    #[test]
    fn degraded_and_down_are_lies_only_if_repeated_long_after_redis_is_back() {
        let lies: [fn(Entry<'_>) -> u64; 2] = [|health| health.degraded(), |health| health.failed()];
        for says in lies {
            assert_eq!(asked(&[9_000, 10_500, 11_000, 13_000], says).verdict, Verdict::Valid);
            assert_eq!(asked(&[15_000], says).verdict, Verdict::Valid, "it may have been unlucky once");
            assert_eq!(asked(&[14_000, 15_000], says).verdict, Verdict::Invalid);
        }
    }

    #[test]
    fn what_was_before_the_first_operation_is_not_known() {
        let degraded = |at: [i64; 2]| asked(&at, |health| health.degraded());
        assert!(degraded([1_500, 2_500]).vacuous());
        assert_eq!(degraded([1_500, 3_500]).verdict, Verdict::Invalid);
    }

    #[test]
    fn health_without_anything_to_compare_with_is_not_judged() {
        assert!(asked(&[6_000], |health| health.ok()).vacuous());
        let mut s = Script::new();
        s.line(OpKind::Health, 1, 0).at(0..1).ok();
        assert!(s.judged_by(&HealthAnswers).vacuous());
    }
}
