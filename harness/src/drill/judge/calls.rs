//! The operations that the store must end by its own deadline, and the limit for the longest of them. A store whose
//! calls wait for as long as an outage lasts fails nothing else: they succeed in the end, when their users have left.

use crate::clock::Nanos;
use crate::fault::{FaultReport, Hits};
use crate::history::OpKind;
use crate::measure::LoadOp;
use crate::metric::Measured;
use crate::plan::Plan;
use crate::targets::UpdateMode;
use crate::units::Span;

/// A call that takes this many times the store's deadline, plus `SLACK`, was not ended by that deadline. The excuse for
/// what the machine did covers stalls only; this covers timers and threads that are late in small steps.
const FACTOR: u32 = 2;
const SLACK: Span = Span::millis(250);

/// Selects the operations that are one call of the store.
pub(super) struct Calls {
    /// Whether an append is one call.
    atomic: bool,
    /// When the target's own process was stopped or dead, and could end no call.
    absent: Vec<(Nanos, Nanos)>,
}

impl Calls {
    pub(super) fn of(plan: &Plan, faults: &[FaultReport]) -> Self {
        let on_target = |report: &&FaultReport| {
            plan.faults.get(report.index as usize).is_some_and(|fault| fault.kind.hits() == Hits::App)
        };
        let absent = faults.iter().filter(on_target);
        let absent = absent.filter_map(|report| Some((report.began?, report.end.unwrap_or(Nanos::MAX)))).collect();
        Self { atomic: plan.scenario.store.update == UpdateMode::Atomic, absent }
    }

    fn covers(&self, op: &LoadOp) -> bool {
        let one_call = match op.kind {
            OpKind::Append => self.atomic,
            OpKind::Create | OpKind::Read | OpKind::Put | OpKind::Touch | OpKind::Destroy => true,
            // A claim, a renewal and an increment read and write, the end of several sessions is several calls, a survey may ask several
            // servers, and a health check has its own deadline.
            OpKind::Award
            | OpKind::Increment
            | OpKind::Renew
            | OpKind::LogoutEverywhere
            | OpKind::List
            | OpKind::Count
            | OpKind::Revisit
            | OpKind::Health
            | OpKind::Command => false,
        };
        one_call && !self.absent.iter().any(|(from, to)| op.started < *to && op.ended > *from)
    }

    /// How long the longest of these operations took, in seconds; `None` if there were none.
    pub(super) fn longest(&self, ops: impl Iterator<Item = LoadOp>) -> Option<f64> {
        ops.filter(|op| self.covers(op)).map(|op| op.ended - op.started).max().map(|longest| longest as f64 / 1e9)
    }
}

/// The limit that applies unless the scenario sets one.
pub(super) fn limit(plan: &Plan, measured: &Measured<'_>) -> Option<String> {
    measured.longest_call.filter(|_| !plan.faults.is_empty())?;
    let deadline = plan.scenario.store.timeout.0;
    Some(format!("<= {}", Span(deadline.saturating_mul(FACTOR).saturating_add(SLACK.0))))
}
