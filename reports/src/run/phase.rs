//! What was measured before, during and after the faults.

use serde::{Deserialize, Serialize};

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
    /// Answered that there is no such session, where there must be one.
    Missing,
    /// Certainly without effect.
    Failed,
    /// Perhaps with effect: a timeout, a cut connection.
    Unknown,
}

impl Outcome {
    /// Every outcome, from good to bad.
    pub const ALL: [Outcome; 5] = [Outcome::Ok, Outcome::Degraded, Outcome::Missing, Outcome::Failed, Outcome::Unknown];

    /// The word used in `run.json` and in reports.
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

/// How many operations ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Acknowledged by the store itself.
    pub ok: u64,
    /// Acknowledged by the fallback.
    pub degraded: u64,
    /// Answered that there is no such session, where there must be one. Runs of format version 1 counted them as `ok` or
    /// `degraded`.
    #[serde(default)]
    pub missing: u64,
    /// Certainly without effect.
    pub failed: u64,
    /// Perhaps with effect.
    pub unknown: u64,
}

impl OutcomeCounts {
    /// How many ended with `outcome`.
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

    /// Counts the operations of `other` as well.
    pub fn merge(&mut self, other: OutcomeCounts) {
        for outcome in Outcome::ALL {
            self.add(outcome, other.of(outcome));
        }
    }

    /// All operations.
    pub fn total(&self) -> u64 {
        Outcome::ALL.iter().fold(0, |sum, &outcome| sum.saturating_add(self.of(outcome)))
    }

    /// Operations that were not acknowledged: failed and unknown.
    pub fn errors(&self) -> u64 {
        self.failed.saturating_add(self.unknown)
    }

    /// [`errors`](Self::errors) as a share of all; 0 when there were none at all.
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

/// What was measured of a stretch of the load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Its beginning, on the drill's clock in milliseconds.
    pub from_ms: f64,
    /// Its end.
    pub to_ms: f64,
    /// Operations that belong to it: those planned within it.
    pub ops: u64,
    /// Operations acknowledged within it by the clock, whenever they were planned, per second. (Format version 1: those
    /// that belong to it, per second.)
    pub rate: f64,
    /// Failed and unknown operations as a share of those that belong to it.
    pub error_rate: f64,
    /// How they ended.
    pub outcomes: OutcomeCounts,
    /// Response time of all its operations together, from the planned instant; absent when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Quantiles>,
    /// The same, corrected for the operations that users of a closed loop did not send while they waited; absent where
    /// no operation came from a closed loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected: Option<Quantiles>,
}

/// One phase of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Which.
    pub name: PhaseName,
    /// What was measured.
    #[serde(flatten)]
    pub figures: Figures,
    /// The same per operation and outcome, with latencies.
    #[serde(default)]
    pub operations: Vec<OpStats>,
}

/// A fault's or a load block's part of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// As gates name it: `fault.slow`, `load.small`, `load.small.during`.
    pub scope: String,
    /// What was measured.
    #[serde(flatten)]
    pub figures: Figures,
}

/// One operation with one outcome within one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpStats {
    /// The operation, such as `read`.
    pub op: String,
    /// How these ended.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
    /// From sending to the answer.
    pub service: Quantiles,
    /// From the planned instant to sending: what the generator, not the target, is to blame for.
    pub slip: Quantiles,
    /// From the planned instant to the answer: what a user would have felt.
    pub response: Quantiles,
}

/// A refusal by Redis, by its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its error code, such as `OOM`.
    pub code: String,
    /// The first reply with this code, without the names of users and the arguments.
    pub answer: String,
    /// Operations that ended with it; what a fallback then answered is not among them.
    pub count: u64,
}

/// How often a cause was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCount {
    /// The cause, such as `timeout`.
    pub cause: String,
    /// How the operations ended.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
}
