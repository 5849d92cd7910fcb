//! Figures from operations: latency histograms, the timeline, the table of phases, and the time to recover.
//!
//! Three latencies are kept apart everywhere. *Service* is the time from an operation's start to its end, *slip* is how
//! late it started, and *response*, their sum, counts from its planned instant: the time that a user would have waited.
//! A stall shows in the response of every operation planned during it; service time alone hides it.

mod batches;
mod down;
mod excuse;
mod latency;
mod ops;
mod recovery;
mod store_events;
mod stretch;
mod timeline;

pub use batches::batches;
pub use down::longest_down;
pub use excuse::{Excuse, Held, Stall, beside};
pub use latency::{Latencies, OpLatencies, new_histogram};
pub use ops::{Load, LoadOp};
pub use recovery::{SteadyRule, recovery};
pub use store_events::store_events;
pub use stretch::{Cut, Layout, Scope, Stretch, Window};
pub use timeline::timeline;

use crate::clock::Nanos;

/// Histograms hold nanoseconds, reports show milliseconds.
const MS_PER_NANO: f64 = 1e-6;

fn ms(t: Nanos) -> f64 {
    t as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::read;
    use crate::history::{Cause, OpKind, OpRecord, Outcome};

    pub(super) const MS: Nanos = 1_000_000;

    /// An operation as the figures see it.
    pub(super) fn load_op(planned: Nanos, outcome: firedrill_reports::run::Outcome) -> LoadOp {
        LoadOp {
            planned,
            started: planned,
            ended: planned + MS,
            kind: OpKind::Read,
            outcome,
            cause: Cause::None,
            process: 0,
            block: 0,
        }
    }

    /// A read that started when it was planned and took 1 ms.
    pub(super) fn op(planned: Nanos, outcome: Outcome) -> OpRecord {
        OpRecord { outcome, ..read(planned..planned + MS) }
    }
}
