//! What the machine explains. A thread that is ready to run but does not run delays operations, misses deadlines and
//! triggers fallbacks, and none of that is the target's fault. Figures are computed as observed and, if a limit fails,
//! again without what stalls explain: a gate that then holds is unknown, not failed.

use firedrill_reports::run::{Activation, Outcome};
use firedrill_storage::FallbackCause;

use super::ops::LoadOp;
use crate::clock::Nanos;
use crate::history::Cause;

/// A period in which threads of the harness were ready to run but did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// The earliest time it may have begun.
    pub from: Nanos,
    /// When it was over.
    pub to: Nanos,
    /// How long the thread that waited longest did not run.
    pub denied: Nanos,
    /// How late the watch itself woke up; no target can hold its thread.
    pub still: Nanos,
}

/// A period in which the target kept a load thread, by sleeping on it or by burning CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// When the target got the thread.
    pub from: Nanos,
    /// When the target returned it.
    pub to: Nanos,
    /// How long this thread was ready to run but did not.
    pub denied: Nanos,
}

impl Held {
    /// Whether the target, not the machine, kept the thread.
    fn is_its_own(&self) -> bool {
        self.to - self.from - self.denied >= OWN
    }
}

/// `stalls` without what other threads lost while the target held one: whatever waited for that thread waited for the
/// target. What remains is the time lost by the held thread itself and by the watch, which nothing can hold.
pub fn beside(stalls: &[Stall], held: &[Held]) -> Vec<Stall> {
    let own: Vec<&Held> = held.iter().filter(|held| held.is_its_own()).collect();
    let without = |stall: &Stall| {
        let (mut shared, mut denied) = (0, 0);
        for held in own.iter().filter(|held| held.from < stall.to && held.to > stall.from) {
            shared += held.to.min(stall.to) - held.from.max(stall.from);
            denied += held.denied;
        }
        let rest = (stall.to - stall.from - shared).max(0) + denied.max(stall.still);
        Stall { denied: if shared > 0 { stall.denied.min(rest) } else { stall.denied }, ..*stall }
    };
    stalls.iter().map(without).filter(|stall| stall.denied > 0).collect()
}

/// A target that kept a thread this much longer than the machine explains did so on its own.
const OWN: Nanos = 20_000_000;

/// A stall at least this long can cost more than its own time: deadlines pass, connections are given up. It must also
/// be at least the target's deadline divided by `OF_DEADLINE`.
const STANDSTILL: Nanos = 50_000_000;
const OF_DEADLINE: i64 = 10;

/// Stalls closer together than this form one standstill, as long as `EXPLAINED` of the whole was denied.
const TOGETHER: Nanos = 100_000_000;

/// Servers that stood still this long may have been voted out, and refuse until another one serves. No topology of the
/// lab votes earlier (`down-after-milliseconds 500`). Threads that waited for a core on a busy machine do not count:
/// the watch itself must have been stopped.
const VOTED_OUT: Nanos = 400_000_000;

/// A fallback that activates during a fault has two causes. With the standstill as the only cause, it would have ended
/// this soon afterwards, so the rest is the fault's doing.
const RETURN: Nanos = 1_000_000_000;

/// A timeout may be due to stalls if they made up at least this share of the operation.
const EXPLAINED: f64 = 0.2;

/// What the stalls of a drill explain.
#[derive(Debug, Default)]
pub struct Excuse {
    /// Ordered by start.
    stalls: Vec<Stall>,
    /// The length of the longest stall: no stall that began earlier than this before a given moment reaches it.
    longest: Nanos,
    /// Standstills, each extended by the time in which its consequences may show; disjoint, in order of time.
    aftermaths: Vec<(Nanos, Nanos)>,
    /// The same for standstills in which servers may have been voted out; these may overlap.
    elections: Vec<(Nanos, Nanos)>,
}

/// What a standstill can have caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consequence {
    /// A deadline passed, a connection was given up, or a fallback took over.
    OfTime,
    /// A server refused because it or another one was voted out.
    OfElection,
    /// Nothing that a stall can cause.
    None,
}

impl Consequence {
    fn of(cause: Cause) -> Self {
        match cause {
            Cause::Refused => Self::OfElection,
            Cause::Corrupt | Cause::AlreadyExists | Cause::Renewed => Self::None,
            Cause::None
            | Cause::Unreachable
            | Cause::Timeout
            | Cause::ConnectionLost
            | Cause::Conflict
            | Cause::Abandoned
            | Cause::Fallback => Self::OfTime,
        }
    }

    /// Classifies an activation by its cause; a custom store may name any cause.
    fn of_activation(activation: &Activation) -> Self {
        if activation.cause == FallbackCause::Restarted.name() {
            return Self::OfElection;
        }
        Cause::ALL.iter().find(|cause| cause.name() == activation.cause).map_or(Self::OfTime, |cause| Self::of(*cause))
    }
}

impl Excuse {
    /// What `stalls` explain about a target that gives up after `deadline`. A fallback triggered by a standstill is
    /// explained until it ends. If one of `faults`, given from onset to end, was active when it began, it is explained
    /// only as long as the standstill's own consequences last.
    pub fn new(mut stalls: Vec<Stall>, deadline: Nanos, activations: &[Activation], faults: &[(Nanos, Nanos)]) -> Self {
        stalls.sort_unstable_by_key(|stall| stall.from);
        let aftermath = |stall: &Stall| (stall.from, stall.to + deadline + STANDSTILL);
        let long = STANDSTILL.max(deadline / OF_DEADLINE);
        let elections = stalls.iter().filter(|stall| stall.still >= VOTED_OUT).map(aftermath).collect();
        let aftermaths = standstills(&stalls).iter().filter(|stall| stall.denied >= long).map(aftermath).collect();
        let longest = stalls.iter().map(|stall| stall.to - stall.from).max().unwrap_or(0);
        let mut excuse = Self { stalls, longest, aftermaths, elections };
        let fallen_back: Vec<(Nanos, Nanos)> = activations
            .iter()
            .filter(|activation| excuse.explains_activation(activation))
            .map(|activation| (nanos(activation.started_ms), activation.ended_ms.map_or(Nanos::MAX, nanos)))
            .map(|(started, ended)| match within(faults, started) {
                true => (started, ended.min(started + deadline + RETURN)),
                false => (started, ended),
            })
            .collect();
        excuse.aftermaths.extend(fallen_back);
        excuse.aftermaths = united(std::mem::take(&mut excuse.aftermaths));
        excuse
    }

    /// Whether there is nothing to explain.
    pub fn is_empty(&self) -> bool {
        self.stalls.is_empty()
    }

    /// How much of the time from `from` to `to` stalls may have taken.
    pub fn denied(&self, from: Nanos, to: Nanos) -> Nanos {
        let first = self.stalls.partition_point(|stall| stall.from < from - self.longest);
        let begun = self.stalls[first..].iter().take_while(|stall| stall.from < to);
        let overlapping = begun.filter(|stall| stall.to > from);
        let denied: Nanos = overlapping.map(|stall| stall.denied.min(stall.to.min(to) - stall.from.max(from))).sum();
        denied.clamp(0, (to - from).max(0))
    }

    /// Whether a standstill explains this activation of a fallback.
    pub fn explains_activation(&self, activation: &Activation) -> bool {
        within(self.aftermaths_for(Consequence::of_activation(activation)), nanos(activation.started_ms))
    }

    fn aftermaths_for(&self, consequence: Consequence) -> &[(Nanos, Nanos)] {
        match consequence {
            Consequence::OfTime => &self.aftermaths,
            Consequence::OfElection => &self.elections,
            Consequence::None => &[],
        }
    }

    /// `op` without the time taken by stalls; `None` if they explain why it was not ok.
    pub fn without(&self, op: LoadOp) -> Option<LoadOp> {
        let wait = self.denied(op.planned, op.started);
        let service = self.denied(op.started, op.ended);
        if !matches!(op.outcome, Outcome::Ok | Outcome::Missing) {
            let of_time = matches!(op.cause, Cause::Timeout | Cause::Abandoned | Cause::Unreachable);
            let share = service as f64 / (op.ended - op.started).max(1) as f64;
            let aftermaths = self.aftermaths_for(Consequence::of(op.cause));
            if (of_time && share >= EXPLAINED)
                || aftermaths.iter().any(|(from, to)| op.started < *to && op.ended > *from)
            {
                return None;
            }
        }
        let started = op.started - wait;
        Some(LoadOp { started, ended: started + (op.ended - op.started) - service, ..op })
    }
}

/// Merges stalls that are close together.
fn standstills(stalls: &[Stall]) -> Vec<Stall> {
    let mut standstills: Vec<Stall> = Vec::new();
    for stall in stalls {
        if let Some(last) = standstills.last_mut().filter(|last| stall.from <= last.to + TOGETHER) {
            let (to, denied) = (last.to.max(stall.to), last.denied + stall.denied);
            if denied as f64 >= EXPLAINED * (to - last.from) as f64 {
                (last.to, last.denied) = (to, denied);
                continue;
            }
        }
        standstills.push(*stall);
    }
    standstills
}

fn nanos(ms: f64) -> Nanos {
    (ms * 1e6) as Nanos
}

fn within(spans: &[(Nanos, Nanos)], at: Nanos) -> bool {
    spans.iter().any(|(from, to)| (*from..=*to).contains(&at))
}

/// Merges spans into disjoint ones, in order.
fn united(mut spans: Vec<(Nanos, Nanos)>) -> Vec<(Nanos, Nanos)> {
    spans.sort_unstable();
    let mut united: Vec<(Nanos, Nanos)> = Vec::new();
    for (from, to) in spans {
        match united.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(to),
            None => united.push((from, to)),
        }
    }
    united
}

#[cfg(test)]
mod tests {
    use super::super::tests::{MS, load_op};
    use super::*;

    fn stall(from: Nanos, to: Nanos, denied: Nanos) -> Stall {
        Stall { from: from * MS, to: to * MS, denied: denied * MS, still: 0 }
    }

    fn of(stalls: &[Stall]) -> Excuse {
        Excuse::new(stalls.to_vec(), 500 * MS, &[], &[])
    }

    #[test]
    fn a_stall_explains_at_most_what_it_denied_of_the_time_it_shares() {
        let excuse = of(&[stall(100, 150, 30)]);
        assert_eq!(excuse.denied(0, 1000 * MS), 30 * MS);
        assert_eq!(excuse.denied(140 * MS, 1000 * MS), 10 * MS);
        assert_eq!(excuse.denied(150 * MS, 1000 * MS), 0);
    }

    #[test]
    fn an_operation_is_shorter_by_what_stalls_took_of_its_wait_and_of_its_service() {
        let excuse = of(&[stall(100, 150, 20), stall(200, 240, 10)]);
        let op = LoadOp { started: 160 * MS, ended: 300 * MS, ..load_op(100 * MS, Outcome::Ok) };
        let without = excuse.without(op).unwrap();
        assert_eq!((without.planned, without.started, without.ended), (100 * MS, 140 * MS, 270 * MS));
    }

    #[test]
    fn what_other_threads_were_denied_while_the_target_held_one_excuses_nothing() {
        let stalls: Vec<Stall> = (0..15).map(|n| Stall { still: 2 * MS, ..stall(n * 20, n * 20 + 20, 18) }).collect();
        let held = |denied| Held { from: 0, to: 300 * MS, denied: denied * MS };
        assert_eq!(of(&stalls).denied(0, 300 * MS), 270 * MS);
        assert_eq!(of(&beside(&stalls, &[held(0)])).denied(0, 300 * MS), 30 * MS, "what the watch saw is left");
        assert_eq!(of(&beside(&stalls, &[held(290)])).denied(0, 300 * MS), 270 * MS, "the machine kept it");
        let later = Held { from: 400 * MS, to: 700 * MS, denied: 0 };
        assert_eq!(of(&beside(&stalls, &[later])).denied(0, 300 * MS), 270 * MS);
    }

    #[test]
    fn a_machine_that_stood_still_as_a_whole_excuses_also_while_the_target_held_a_thread() {
        let whole = Stall { still: 480 * MS, ..stall(0, 500, 480) };
        let held = Held { from: 0, to: 500 * MS, denied: 0 };
        assert_eq!(of(&beside(&[whole], &[held])).denied(0, 500 * MS), 480 * MS);
    }

    #[test]
    fn a_timeout_during_a_standstill_is_explained_and_one_on_a_sound_machine_is_not() {
        let timeout =
            |at: Nanos| LoadOp { cause: Cause::Timeout, ended: (at + 500) * MS, ..load_op(at * MS, Outcome::Unknown) };
        let excuse = of(&[stall(1000, 1500, 480)]);
        assert_eq!(excuse.without(timeout(1000)), None);
        assert_eq!(excuse.without(timeout(1700)), None, "its consequences may show until the deadline has passed");
        assert!(excuse.without(timeout(3000)).is_some());
        assert!(of(&[stall(1000, 1020, 10)]).without(timeout(1000)).is_some(), "10 ms explain no 500 ms");
    }

    fn fell_back(started_ms: f64, cause: Cause) -> Activation {
        Activation { started_ms, ended_ms: Some(5000.0), cause: cause.name().to_owned(), ..Activation::default() }
    }

    #[test]
    fn many_short_stalls_far_apart_are_no_standstill() {
        let thin: Vec<Stall> = (0..100).map(|n| stall(n * 100, n * 100 + 30, 9)).collect();
        let dense: Vec<Stall> = (0..100).map(|n| stall(n * 30, n * 30 + 30, 9)).collect();
        let timeout = fell_back(1200.0, Cause::Timeout);
        assert!(!of(&thin).explains_activation(&timeout));
        assert!(of(&dense).explains_activation(&timeout));
        let patient = |stalls: &[Stall]| Excuse::new(stalls.to_vec(), 10_000 * MS, &[], &[]);
        assert!(!patient(&dense).explains_activation(&timeout), "0.9 s are too little of 10 s");
    }

    #[test]
    fn a_refusal_is_explained_only_where_servers_stood_still_for_long_enough_to_be_voted_out() {
        let refused = fell_back(1600.0, Cause::Refused);
        let waited = stall(1000, 1500, 480);
        assert!(of(&[waited]).explains_activation(&fell_back(1600.0, Cause::Timeout)));
        assert!(!of(&[waited]).explains_activation(&refused));
        assert!(of(&[Stall { still: 480 * MS, ..waited }]).explains_activation(&refused));
        let op = LoadOp { cause: Cause::Refused, ..load_op(1600 * MS, Outcome::Failed) };
        assert!(of(&[waited]).without(op).is_some());
        assert_eq!(of(&[Stall { still: 480 * MS, ..waited }]).without(op), None);
    }

    #[test]
    fn no_stall_explains_an_answer_that_is_wrong() {
        let whole = Stall { still: 480 * MS, ..stall(1000, 1500, 480) };
        let corrupt = LoadOp { cause: Cause::Corrupt, ..load_op(1200 * MS, Outcome::Failed) };
        assert!(of(&[whole]).without(corrupt).is_some());
    }

    #[test]
    fn what_fell_back_on_account_of_a_standstill_is_explained_until_the_fallback_ends() {
        let activation = Activation { started_ms: 1200.0, ended_ms: Some(5000.0), ..Activation::default() };
        let excuse = Excuse::new(vec![stall(1000, 1500, 480)], 500 * MS, std::slice::from_ref(&activation), &[]);
        assert!(excuse.explains_activation(&activation));
        assert_eq!(excuse.without(load_op(4000 * MS, Outcome::Degraded)), None);
        assert!(excuse.without(load_op(6000 * MS, Outcome::Degraded)).is_some());
    }

    #[test]
    fn a_standstill_as_a_fault_begins_does_not_explain_the_whole_outage() {
        let activation = Activation { started_ms: 1200.0, ended_ms: Some(5000.0), ..Activation::default() };
        let fault = (1100 * MS, 4500 * MS);
        let excuse = Excuse::new(vec![stall(1000, 1500, 480)], 500 * MS, std::slice::from_ref(&activation), &[fault]);
        assert!(excuse.explains_activation(&activation));
        assert_eq!(excuse.without(load_op(2000 * MS, Outcome::Degraded)), None);
        assert!(excuse.without(load_op(4000 * MS, Outcome::Degraded)).is_some());
    }
}
