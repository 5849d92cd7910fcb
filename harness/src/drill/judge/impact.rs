//! What the drill meant to the users: how many sessions lost something, were not found, were refused or had to wait, and
//! for how long.

use firedrill_reports::run::{Check, CheckVerdict, Impact, OffenceCause, Touched};

use crate::check::{Groups, LOST_WRITES};
use crate::clock::Nanos;
use crate::history::{History, OpKind, OpRecord, Step};

/// An operation that takes longer interrupts its user's train of thought (Nielsen, "Usability Engineering", 1993, 5.5).
const DELAYED: Nanos = 1_000_000_000;

/// The impact on the sessions of `history`. `missing` holds the positions, in ascending order, of operations that deny a
/// session that must exist.
pub(super) fn impact(history: &History, missing: &[usize], checks: &[Check]) -> Impact {
    let ops = &history.ops.ops;
    let groups = Groups::of(ops, history.header.sessions_per_user);
    let (mut not_found, mut refused, mut delayed) = (Tally::default(), Tally::default(), Tally::default());
    let mut sessions = 0;
    for place in 0..groups.len() {
        let of_session = groups.positions(place).iter().map(|position| *position as usize);
        let used: Vec<(usize, &OpRecord)> =
            of_session.map(|position| (position, &ops[position])).filter(|(_, op)| concerns_its_session(op)).collect();
        sessions += u64::from(!used.is_empty());
        not_found.session(&used, |position, _| missing.binary_search(&position).is_ok());
        refused.session(&used, |_, op| !op.outcome.acknowledged());
        delayed.session(&used, |_, op| op.outcome.acknowledged() && op.ended - op.planned > DELAYED);
    }
    Impact {
        sessions,
        lost: lost(checks),
        not_found: not_found.touched(),
        refused: refused.touched(),
        delayed: delayed.touched(),
        delayed_over_ms: ms(DELAYED),
    }
}

/// Whether a user of the load is behind it.
fn concerns_its_session(op: &OpRecord) -> bool {
    op.step == Step::Load && !matches!(op.kind, OpKind::Count | OpKind::Health)
}

/// The writes that are gone; `None` if nobody can tell.
fn lost(checks: &[Check]) -> Option<Touched> {
    let check = checks.iter().find(|check| check.name == LOST_WRITES && check.examined > 0)?;
    let times = |of: fn(&OffenceCause) -> f64| check.causes.iter().map(of);
    match check.verdict {
        CheckVerdict::Unknown => None,
        CheckVerdict::Valid => Some(Touched::default()),
        CheckVerdict::Invalid => Some(Touched {
            sessions: check.sessions,
            operations: check.offences,
            from_ms: times(|cause| cause.from_ms).reduce(f64::min),
            to_ms: times(|cause| cause.to_ms).reduce(f64::max),
            longest_ms: None,
        }),
    }
}

fn ms(time: Nanos) -> f64 {
    time as f64 / 1e6
}

/// The sessions that one thing happened to.
#[derive(Default)]
struct Tally {
    sessions: u64,
    operations: u64,
    /// From when the first operation was due until the last one ended.
    span: Option<(Nanos, Nanos)>,
    /// For how long it lasted for a session: from when an operation was due until one went well again.
    lasted: Vec<(Nanos, Nanos)>,
}

impl Tally {
    /// Adds a session's operations, in the order in which they were sent, to which it happened if `touched` says so.
    fn session(&mut self, ops: &[(usize, &OpRecord)], touched: impl Fn(usize, &OpRecord) -> bool) {
        let mut since = None;
        let mut last = Nanos::MIN;
        let mut operations = 0;
        for &(position, op) in ops {
            match (touched(position, op), since) {
                (true, _) => {
                    operations += 1;
                    since.get_or_insert(op.planned);
                    last = last.max(op.ended);
                    let (first, latest) = self.span.unwrap_or((op.planned, op.ended));
                    self.span = Some((first.min(op.planned), latest.max(op.ended)));
                }
                // What was under way at the same time does not end it.
                (false, Some(from)) if op.started >= last => {
                    self.lasted.push((from, op.ended));
                    since = None;
                }
                (false, _) => {}
            }
        }
        self.lasted.extend(since.map(|from| (from, last)));
        self.operations += operations;
        self.sessions += u64::from(operations > 0);
    }

    fn touched(&self) -> Touched {
        // A session that asks rarely learns late that all is well. Once it happened to nobody any more, it was over.
        let over = self.span.map_or(Nanos::MAX, |(_, to)| to);
        let longest = self.lasted.iter().map(|(from, until)| (*until).min(over) - from).max();
        Touched {
            sessions: self.sessions,
            operations: self.operations,
            from_ms: self.span.map(|(from, _)| ms(from)),
            to_ms: self.span.map(|(_, to)| ms(to)),
            longest_ms: longest.map(ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{MS, S, read, timed_out};
    use super::*;
    use crate::history::testing;
    use crate::history::{OpBatch, Outcome as Said};

    fn history(ops: Vec<OpRecord>) -> History {
        let ops = OpBatch { ops, ..OpBatch::default() };
        History { header: testing::header(3_600 * S), ops, notes: Vec::new() }
    }

    #[test]
    fn each_session_counts_once_and_for_as_long_as_nothing_went_well() {
        let of = |session, op: OpRecord| OpRecord { session, ..op };
        let failed = |at| OpRecord { outcome: Said::Failed, ..read(at) };
        let late = |at| OpRecord { ended: at + 1_500 * MS, ..read(at) };
        let ops = vec![
            of(0, read(S)),
            of(0, failed(2 * S)),
            of(0, timed_out(3 * S)),
            of(0, read(4 * S)),
            of(1, late(2 * S)),
            of(1, read(5 * S)),
            of(2, read(6 * S)),
            // Nobody waits for it, and it is of no session.
            OpRecord { kind: OpKind::Health, session: 3, ..timed_out(S) },
        ];
        let impact = impact(&history(ops), &[6], &[]);
        assert_eq!(impact.sessions, 3);
        let refused = impact.refused;
        assert_eq!((refused.sessions, refused.operations), (1, 2));
        assert_eq!((refused.from_ms, refused.to_ms, refused.longest_ms), (Some(2e3), Some(3.5e3), Some(1_500.0)));
        assert_eq!((impact.delayed.sessions, impact.delayed.longest_ms), (1, Some(1_500.0)));
        assert_eq!((impact.not_found.sessions, impact.not_found.longest_ms), (1, Some(1.0)));
        assert_eq!(impact.lost, None, "no check judged it");
    }

    #[test]
    fn what_is_over_for_one_session_goes_on_for_another() {
        let of = |session, op: OpRecord| OpRecord { session, ..op };
        let ops = vec![
            of(0, timed_out(2 * S)),
            of(0, read(3 * S)),
            of(0, timed_out(8 * S)),
            of(1, timed_out(S)),
            of(1, read(6 * S)),
        ];
        let refused = impact(&history(ops), &[], &[]).refused;
        assert_eq!((refused.sessions, refused.operations), (2, 3));
        assert_eq!(refused.longest_ms, Some(5_001.0), "of session 1: session 0 was well for a while");
    }
}
