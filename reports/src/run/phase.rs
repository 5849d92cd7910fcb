//! Measurements before, during and after the faults.

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::latency::Quantiles;
use super::phase_name::PhaseName;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Acknowledged by the store itself.
    Ok,
    /// Acknowledged by the fallback.
    Degraded,
    /// Answered "no such session" although the session must exist.
    Missing,
    /// Certainly without effect.
    Failed,
    /// May have had an effect: a timeout, a cut connection.
    Unknown,
}

impl Outcome {
    /// Every outcome, from good to bad.
    pub const ALL: [Outcome; 5] = [Outcome::Ok, Outcome::Degraded, Outcome::Missing, Outcome::Failed, Outcome::Unknown];

    /// Its name in `run.json` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Degraded => "degraded",
            Outcome::Missing => "missing",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        }
    }

    /// Whether it was acknowledged. "No such session" counts as an acknowledgement.
    pub fn acknowledged(self) -> bool {
        matches!(self, Outcome::Ok | Outcome::Degraded | Outcome::Missing)
    }
}

/// The number of operations per outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Acknowledged by the store itself.
    pub ok: u64,
    /// Acknowledged by the fallback.
    pub degraded: u64,
    /// Answered "no such session" although the session must exist. Runs of format version 1 counted these as `ok` or
    /// `degraded`.
    #[serde(default)]
    pub missing: u64,
    /// Certainly without effect.
    pub failed: u64,
    /// May have had an effect.
    pub unknown: u64,
}

impl OutcomeCounts {
    /// The number of operations that ended with `outcome`.
    pub fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Ok => self.ok,
            Outcome::Degraded => self.degraded,
            Outcome::Missing => self.missing,
            Outcome::Failed => self.failed,
            Outcome::Unknown => self.unknown,
        }
    }

    /// Counts `count` more operations that ended with `outcome`.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        let counted = match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Degraded => &mut self.degraded,
            Outcome::Missing => &mut self.missing,
            Outcome::Failed => &mut self.failed,
            Outcome::Unknown => &mut self.unknown,
        };
        *counted = counted.saturating_add(count);
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: OutcomeCounts) {
        for outcome in Outcome::ALL {
            self.add(outcome, other.of(outcome));
        }
    }

    /// All operations.
    pub fn total(&self) -> u64 {
        Outcome::ALL.iter().fold(0, |sum, &outcome| sum.saturating_add(self.of(outcome)))
    }

    /// Unacknowledged operations: failed and unknown.
    pub fn errors(&self) -> u64 {
        self.failed.saturating_add(self.unknown)
    }

    /// [`errors`](Self::errors) as a share of all operations; 0 without operations.
    pub fn error_rate(&self) -> f64 {
        match self.total() {
            0 => 0.0,
            total => self.errors() as f64 / total as f64,
        }
    }

    /// Operations that ended as anything but `ok`.
    pub fn not_ok(&self) -> u64 {
        self.total() - self.ok.min(self.total())
    }
}

/// The figures of a stretch of the load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Its start, on the drill's clock in milliseconds.
    pub from_ms: f64,
    /// Its end.
    pub to_ms: f64,
    /// The operations that belong to it, which are those planned within it.
    pub ops: u64,
    /// Operations acknowledged within it by the clock, whenever they were planned, per second. (Format version 1: those
    /// that belong to it, per second.)
    pub rate: f64,
    /// Failed and unknown operations as a share of its operations.
    pub error_rate: f64,
    /// Its operations by outcome.
    pub outcomes: OutcomeCounts,
    /// Response times of all its operations, from the planned instant; absent without operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Quantiles>,
    /// Response times corrected for the operations that users of a closed loop did not send while they waited; absent
    /// if no operation came from a closed loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected: Option<Quantiles>,
}

/// One phase of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: PhaseName,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Counts and latencies per operation and outcome.
    #[serde(default)]
    pub operations: Vec<OpStats>,
    /// Equally long slices of it, in order of time, from which the uncertainty of its figures is estimated; empty where it
    /// has too few operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<Batch>,
}

/// The part of the load that belongs to a fault or a load block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Its name in gates: `fault.slow`, `load.small`, `load.small.during`.
    pub scope: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// One operation with one outcome within one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpStats {
    /// The operation, such as `read`.
    pub op: String,
    /// Their outcome.
    pub outcome: Outcome,
    /// Their number.
    pub count: u64,
    /// From sending to the answer.
    pub service: Quantiles,
    /// From the planned instant to sending: how late the operation was sent.
    pub slip: Quantiles,
    /// From the planned instant to the answer: the time a user would have felt.
    pub response: Quantiles,
}

/// Redis's refusals with one error code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its error code, such as `OOM`.
    pub code: String,
    /// The first reply with this code, without user names and arguments.
    pub answer: String,
    /// Operations that ended with it, excluding those that a fallback then answered.
    pub count: u64,
}

/// How often a cause occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCount {
    /// The cause, such as `timeout`.
    pub cause: String,
    /// The outcome of these operations.
    pub outcome: Outcome,
    /// Their number.
    pub count: u64,
}
