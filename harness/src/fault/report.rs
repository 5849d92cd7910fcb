//! The outcome of one occurrence of a fault.

use super::path::millis;
use super::timeline::Window;
use crate::clock::Nanos;

/// One occurrence of a fault: what was planned, what was observed, and whether it took effect.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FaultReport {
    /// The fault's position in the scenario, from 0.
    pub index: u32,
    /// The number of the occurrence, from 0.
    pub occurrence: u32,
    /// Its kind, as in the scenario.
    pub kind: &'static str,
    /// Its parameters in words; may be empty.
    pub detail: String,
    /// What it hit, as far as it chose, in words.
    pub hit: Vec<String>,
    /// The planned start.
    pub planned_at: Nanos,
    /// The planned duration.
    pub planned_for: Nanos,
    /// The first step of the injection; nothing can have been affected earlier.
    pub began: Option<Nanos>,
    /// When it was seen to hold; `None` if it never was.
    pub onset: Option<Nanos>,
    /// The first step of healing.
    pub healing: Option<Nanos>,
    /// When it was seen to be over; `None` if it never held or could not be healed.
    pub end: Option<Nanos>,
    /// Whether it demonstrably harmed something that the load uses.
    pub bit: bool,
    /// The evidence, or what was not found, or why it was never injected: one sentence without a full stop.
    pub evidence: String,
    /// Connections that took an impostor for the server; `None` for a fault without one.
    pub trusted: Option<u64>,
    /// What went wrong with the fault itself.
    pub error: Option<String>,
}

impl FaultReport {
    /// An occurrence that has not begun.
    pub(crate) fn planned(window: &Window, kind: &'static str, detail: String) -> Self {
        Self {
            index: window.fault,
            occurrence: window.occurrence,
            kind,
            detail,
            hit: Vec::new(),
            planned_at: window.on,
            planned_for: window.off - window.on,
            began: None,
            onset: None,
            healing: None,
            end: None,
            bit: false,
            evidence: String::new(),
            trusted: None,
            error: None,
        }
    }

    /// Appends a remark to the evidence.
    pub(super) fn remark(&mut self, remark: &str) {
        if !self.evidence.is_empty() {
            self.evidence.push_str("; ");
        }
        self.evidence.push_str(remark);
    }

    /// Records an error; only the first one is kept.
    pub(super) fn fail(&mut self, error: impl std::fmt::Display) {
        self.error.get_or_insert_with(|| error.to_string());
    }
}

/// A point in time of the drill for display: `6 s`, `250 ms`.
pub(super) fn moment(at: Nanos) -> String {
    let time = std::time::Duration::from_nanos(at.unsigned_abs());
    let sign = if at < 0 { "-" } else { "" };
    if time.as_millis() < 1_000 {
        format!("{sign}{}", millis(time))
    } else {
        format!("{sign}{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_short() {
        assert_eq!(moment(25_000_000_000), "25 s");
        assert_eq!(moment(6_540_000_000), "6.5 s");
        assert_eq!(moment(250_000_000), "250 ms");
        assert_eq!(moment(-1_500_000_000), "-1.5 s");
    }
}
