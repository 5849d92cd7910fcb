//! When a target was steady again after a fault.

use firedrill_reports::run::Outcome;

use super::ops::LoadOp;
use crate::clock::Nanos;

/// What counts as steady.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SteadyRule {
    /// How long the target must stay steady, in nanoseconds.
    pub window: Nanos,
    /// The largest share of operations, in 0..=1, that may be failed, unknown or degraded. Missing sessions do not
    /// count: they stay missing however steady the target is.
    pub max_error_share: f64,
    /// A quantile in 0..=1, and the highest response time it may reach, in nanoseconds.
    pub max_latency: Option<(f64, Nanos)>,
}

/// The first instant at or after `fault_end` from which the target was steady: both in the window that begins there
/// (which must end before `load_end`) and over the rest of the load as a whole, so that a target that keeps failing has
/// not recovered at its first good moment. A window without operations is steady; a rest without operations proves
/// nothing. `None` if there is no such instant. Operations count at their planned time; the instant is `fault_end` or
/// the planned time of an operation.
pub fn recovery(
    ops: impl Iterator<Item = LoadOp>,
    fault_end: Nanos,
    load_end: Nanos,
    rule: &SteadyRule,
) -> Option<Nanos> {
    let mut ops: Vec<LoadOp> = ops.filter(|op| (fault_end..load_end).contains(&op.planned)).collect();
    ops.sort_by_key(|op| op.planned);
    let tally = Tally::of(&ops, rule);
    let starts = std::iter::once((fault_end, 0)).chain(ops.iter().enumerate().map(|(place, op)| (op.planned, place)));
    let mut end = 0;
    for (from, place) in starts {
        let to = from + rule.window;
        if to > load_end {
            break;
        }
        while ops.get(end).is_some_and(|op| op.planned < to) {
            end += 1;
        }
        let rest_is_steady = place < ops.len() && tally.is_steady(place, ops.len(), rule);
        if rest_is_steady && tally.is_steady(place, end, rule) {
            return Some(from);
        }
    }
    None
}

/// Prefix sums over the operations: how many of the first n were not ok, and how many were slow.
struct Tally {
    bad: Vec<usize>,
    slow: Vec<usize>,
}

impl Tally {
    fn of(ops: &[LoadOp], rule: &SteadyRule) -> Self {
        let limit = rule.max_latency.map_or(Nanos::MAX, |(_, limit)| limit);
        Self {
            bad: sums(ops.iter().map(|op| !matches!(op.outcome, Outcome::Ok | Outcome::Missing))),
            slow: sums(ops.iter().map(|op| op.ended - op.planned > limit)),
        }
    }

    fn is_steady(&self, from: usize, to: usize, rule: &SteadyRule) -> bool {
        let share = |sums: &[usize]| (sums[to] - sums[from]) as f64 / (to - from).max(1) as f64;
        let quantile = rule.max_latency.map_or(1.0, |(quantile, _)| quantile);
        // The share that may be slow is a difference of two fractions: 1 - 0.95 is slightly below 0.05.
        share(&self.bad) <= rule.max_error_share && share(&self.slow) <= 1.0 - quantile + 1e-9
    }
}

fn sums(values: impl Iterator<Item = bool>) -> Vec<usize> {
    let mut sum = 0;
    let running = values.map(|value| {
        sum += usize::from(value);
        sum
    });
    std::iter::once(0).chain(running).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{MS, load_op as op};
    use super::*;

    fn recovery(ops: &[LoadOp], fault_end: Nanos, load_end: Nanos, rule: &SteadyRule) -> Option<Nanos> {
        super::recovery(ops.iter().copied(), fault_end, load_end, rule)
    }

    const RULE: SteadyRule = SteadyRule { window: 100 * MS, max_error_share: 0.0, max_latency: None };

    /// One operation every 10 ms for a second; `outcome` gives the outcome of each.
    fn second(outcome: impl Fn(Nanos) -> Outcome) -> Vec<LoadOp> {
        (0..100).map(|n| op(n * 10 * MS, outcome(n * 10))).collect()
    }

    #[test]
    fn a_target_that_never_failed_was_steady_at_the_end_of_the_fault() {
        let ops = second(|_| Outcome::Ok);
        assert_eq!(recovery(&ops, 205 * MS, 1000 * MS, &RULE), Some(205 * MS));
    }

    #[test]
    fn recovery_is_at_the_first_operation_after_the_last_bad_one() {
        for bad in [Outcome::Failed, Outcome::Unknown, Outcome::Degraded] {
            let ops = second(|ms| if (200..=400).contains(&ms) { bad } else { Outcome::Ok });
            assert_eq!(recovery(&ops, 300 * MS, 1000 * MS, &RULE), Some(410 * MS));
        }
    }

    #[test]
    fn a_good_moment_between_failures_is_no_recovery() {
        let ops =
            second(
                |ms| if (200..400).contains(&ms) || (600..700).contains(&ms) { Outcome::Failed } else { Outcome::Ok },
            );
        assert_eq!(recovery(&ops, 300 * MS, 1000 * MS, &RULE), Some(700 * MS));
    }

    #[test]
    fn a_share_of_errors_may_be_allowed() {
        let ops = second(|ms| if ms < 400 || ms % 100 == 50 { Outcome::Failed } else { Outcome::Ok });
        let rule = SteadyRule { max_error_share: 0.1, ..RULE };
        assert_eq!(recovery(&ops, 300 * MS, 1000 * MS, &RULE), None);
        assert_eq!(recovery(&ops, 300 * MS, 1000 * MS, &rule), Some(400 * MS));
    }

    #[test]
    fn slow_answers_are_not_steady_where_a_latency_is_asked_for() {
        let mut ops = second(|_| Outcome::Ok);
        for op in &mut ops[..50] {
            op.ended = op.planned + 30 * MS;
        }
        let rule = SteadyRule { max_latency: Some((0.95, 20 * MS)), ..RULE };
        assert_eq!(recovery(&ops, 300 * MS, 1000 * MS, &rule), Some(500 * MS));
        let lenient = SteadyRule { max_latency: Some((0.95, 30 * MS)), ..RULE };
        assert_eq!(recovery(&ops, 300 * MS, 1000 * MS, &lenient), Some(300 * MS));
    }

    #[test]
    fn a_window_without_operations_is_steady_and_sessions_that_stay_missing_are() {
        let rare = [op(100 * MS, Outcome::Ok), op(600 * MS, Outcome::Ok)];
        assert_eq!(recovery(&rare, 300 * MS, 1000 * MS, &RULE), Some(300 * MS));
        let ops = second(|ms| if ms % 100 == 50 { Outcome::Missing } else { Outcome::Ok });
        assert_eq!(recovery(&ops, 300 * MS, 1000 * MS, &RULE), Some(300 * MS));
    }

    #[test]
    fn without_a_whole_window_before_the_end_there_is_no_recovery() {
        let ops = second(|ms| if ms < 950 { Outcome::Failed } else { Outcome::Ok });
        assert_eq!(recovery(&ops, 300 * MS, 1000 * MS, &RULE), None);
        assert_eq!(recovery(&[], 300 * MS, 1000 * MS, &RULE), None);
    }
}
