//! Situations of one session, each counted from its operations alone.

use super::times::Times;
use crate::clock::Nanos;
use crate::history::{Content, OpKind, OpRecord, Outcome, Step};

/// The operations on one session.
pub(super) struct Session<'h> {
    /// All operations of the history.
    pub(super) all: &'h [OpRecord],
    /// Where its own stand, in the order sent.
    pub(super) positions: &'h [u32],
}

impl<'h> Session<'h> {
    fn ops(&self) -> impl Iterator<Item = &'h OpRecord> + use<'h, '_> {
        self.positions.iter().filter_map(|at| self.all.get(*at as usize))
    }

    /// Those of the load.
    fn load(&self) -> impl Iterator<Item = &'h OpRecord> + use<'h, '_> {
        self.ops().filter(|op| op.step == Step::Load)
    }
}

fn takes(kind: Option<OpKind>, op: &OpRecord) -> bool {
    kind.is_none_or(|kind| kind == op.kind)
}

/// Whether it was sent before an earlier one of those that `until` has seen was answered.
fn overlaps(op: &OpRecord, until: &mut Nanos) -> bool {
    let overlaps = op.started < *until;
    *until = op.ended.max(*until);
    overlaps
}

pub(super) fn concurrent_writes(session: &Session<'_>, _: &Times, _: Option<OpKind>) -> u64 {
    let mut until = Nanos::MIN;
    session.load().filter(|op| op.perhaps_writes() && overlaps(op, &mut until)).count() as u64
}

pub(super) fn contended_awards(session: &Session<'_>, _: &Times, _: Option<OpKind>) -> u64 {
    let mut until = Nanos::MIN;
    let claims = |op: &&OpRecord| op.kind.effects().content == Content::Claims && op.outcome != Outcome::Failed;
    u64::from(session.load().filter(claims).any(|op| overlaps(op, &mut until)))
}

/// The count ends when the session may have been recreated.
pub(super) fn after_destroy(session: &Session<'_>, _: &Times, kind: Option<OpKind>) -> u64 {
    let (mut gone, mut found): (Option<Nanos>, u64) = (None, 0);
    for op in session.ops() {
        let after = gone.is_some_and(|gone| gone < op.started);
        if after && takes(kind, op) && op.step == Step::Load && !op.kind.is_survey() {
            found += 1;
        }
        if op.perhaps_destroys() && op.outcome.acknowledged() {
            gone = Some(gone.map_or(op.ended, |gone| gone.min(op.ended)));
        } else if op.perhaps_creates() {
            gone = None;
        }
    }
    found
}

pub(super) fn first_used_in_an_outage(session: &Session<'_>, times: &Times, _: Option<OpKind>) -> u64 {
    let is_older = session.ops().next().is_some_and(|op| op.step < Step::Load);
    let first = session.load().find(|op| !op.kind.is_survey());
    u64::from(is_older && first.is_some_and(|op| times.activation_for(op.process, op.started).is_some()))
}

/// Counts a session once, at whichever of its lives.
pub(super) fn expired_in_an_outage(session: &Session<'_>, times: &Times, _: Option<OpKind>) -> u64 {
    let mut life = None;
    for op in session.ops() {
        if life.is_some_and(|life: Life| life.ended_in_an_outage(times, op.started)) {
            return 1;
        }
        life = Life::after(life, op, times.sliding);
    }
    u64::from(life.is_some_and(|life| life.ended_in_an_outage(times, Nanos::MAX)))
}

/// The lifetime of a session that was certainly there.
#[derive(Clone, Copy)]
struct Life {
    /// It was certainly extended at this moment or later.
    from: Nanos,
    /// Nothing may have extended it later than this.
    until: Nanos,
}

impl Life {
    /// What `op` leaves of a life; `None` where the session may have ended otherwise.
    fn after(life: Option<Self>, op: &OpRecord, sliding: bool) -> Option<Self> {
        if op.perhaps_destroys() {
            return None;
        }
        let perhaps = op.perhaps_creates() || op.perhaps_extends(sliding);
        let until =
            life.map_or(Nanos::MIN, |life| life.until).max(if perhaps { op.latest_effect() } else { Nanos::MIN });
        match op.certainly_extends(sliding) {
            true => Some(Self { from: life.map_or(op.started, |life| life.from.max(op.started)), until }),
            false => life.map(|life| Self { until, ..life }),
        }
    }

    /// Whether it certainly ended while the fallback was active, and before `next`.
    fn ended_in_an_outage(self, times: &Times, next: Nanos) -> bool {
        let (earliest, latest) = (times.expiry.earliest(self.from), times.expiry.latest(self.until));
        latest <= next && times.activation(earliest).is_some_and(|(_, to)| latest <= to)
    }
}
