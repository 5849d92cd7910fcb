//! Figures from operations: latency histograms, the timeline, the table of phases, and the time to recover.
//!
//! Three latencies are kept apart everywhere. *Service* is the time from an operation's start to its end, *slip* is how
//! late it started, and *response*, their sum, counts from the instant it was planned for: what a user would have
//! waited. A stall shows in the response of every operation planned during it; service time alone hides it.

mod down;
mod latency;
mod phases;
mod recovery;
mod story;
mod timeline;

pub use down::longest_down;
pub use latency::{Latencies, OpLatencies, new_histogram};
pub use phases::{PhaseMeasure, Window};
pub use recovery::{SteadyRule, recovery};
pub use story::told;
pub use timeline::timeline;

use crate::clock::Nanos;

/// Histograms hold nanoseconds, reports show milliseconds.
const MS_PER_NANO: f64 = 1e-6;

fn ms(t: Nanos) -> f64 {
    t as f64 / 1e6
}

/// An outcome as `run.json` has it.
pub fn reported(outcome: crate::history::Outcome) -> firedrill_reports::run::Outcome {
    use crate::history::Outcome;
    match outcome {
        Outcome::Ok => firedrill_reports::run::Outcome::Ok,
        Outcome::Degraded => firedrill_reports::run::Outcome::Degraded,
        Outcome::Failed => firedrill_reports::run::Outcome::Failed,
        Outcome::Unknown => firedrill_reports::run::Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Cause, OpKind, OpRecord, Outcome, Presence, Step};

    pub(super) const MS: Nanos = 1_000_000;

    /// A read that started when it was planned and took 1 ms.
    pub(super) fn op(planned: Nanos, outcome: Outcome) -> OpRecord {
        OpRecord {
            index: 0,
            planned,
            started: planned,
            ended: planned + MS,
            version: 0,
            session: 0,
            process: 0,
            owner: OpRecord::NO_OWNER,
            tokens_at: 0,
            tokens_len: 0,
            kind: OpKind::Read,
            step: Step::Load,
            outcome,
            presence: Presence::Unsaid,
            cause: Cause::None,
        }
    }
}
