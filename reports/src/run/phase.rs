//! What was measured before, during and after the faults.

use serde::{Deserialize, Serialize};

use super::Quantiles;

/// A part of the measured load, by its place beside the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseName {
    /// Until the first fault took hold; the whole load when there is no fault.
    Before,
    /// While a fault was on.
    During,
    /// From the end of the last fault until the target was steady again.
    Recovery,
    /// From then on.
    After,
}

impl PhaseName {
    /// Every phase, in the order of time.
    pub const ALL: [PhaseName; 4] = [PhaseName::Before, PhaseName::During, PhaseName::Recovery, PhaseName::After];

    /// The word used in scenarios, `run.json` and reports.
    pub fn name(self) -> &'static str {
        match self {
            PhaseName::Before => "before",
            PhaseName::During => "during",
            PhaseName::Recovery => "recovery",
            PhaseName::After => "after",
        }
    }
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Acknowledged by the store itself.
    Ok,
    /// Acknowledged by the fallback.
    Degraded,
    /// Certainly without effect.
    Failed,
    /// Perhaps with effect: a timeout, a cut connection.
    Unknown,
}

impl Outcome {
    /// Every outcome, from good to bad.
    pub const ALL: [Outcome; 4] = [Outcome::Ok, Outcome::Degraded, Outcome::Failed, Outcome::Unknown];

    /// The word used in `run.json` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Degraded => "degraded",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        }
    }
}

/// How many operations ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Acknowledged by the store itself.
    pub ok: u64,
    /// Acknowledged by the fallback.
    pub degraded: u64,
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
            Outcome::Failed => self.failed,
            Outcome::Unknown => self.unknown,
        }
    }

    /// Counts `count` more operations that ended with `outcome`.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        let counted = match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Degraded => &mut self.degraded,
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

    /// Operations that the caller was not told to be done: failed and unknown.
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
}

/// One phase of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Which.
    pub name: PhaseName,
    /// Its beginning, on the drill's clock in milliseconds.
    pub from_ms: f64,
    /// Its end.
    pub to_ms: f64,
    /// Operations that belong to it: those planned within it.
    pub ops: u64,
    /// The same per second.
    pub rate: f64,
    /// Failed and unknown operations as a share of all.
    pub error_rate: f64,
    /// How the operations ended.
    pub outcomes: OutcomeCounts,
    /// Response time of all its operations together, from the planned instant; absent when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Quantiles>,
    /// The same per operation and outcome, with latencies.
    #[serde(default)]
    pub operations: Vec<OpStats>,
}

impl Phase {
    /// A phase, with its totals and rates computed from `operations`. `response` is over all of them, from their
    /// histograms added up: quantiles cannot be computed from quantiles.
    pub fn new(
        name: PhaseName,
        from_ms: f64,
        to_ms: f64,
        response: Option<Quantiles>,
        operations: Vec<OpStats>,
    ) -> Self {
        let mut outcomes = OutcomeCounts::default();
        for stats in &operations {
            outcomes.add(stats.outcome, stats.count);
        }
        let seconds = (to_ms - from_ms) / 1000.0;
        let rate = if seconds > 0.0 { outcomes.total() as f64 / seconds } else { 0.0 };
        let error_rate = outcomes.error_rate();
        Self { name, from_ms, to_ms, ops: outcomes.total(), rate, error_rate, outcomes, response, operations }
    }
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
