//! A long load, and what drifted.

use serde::{Deserialize, Serialize};

/// A long load at one rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Soak {
    /// Operations per second.
    pub rate: f64,
    /// How long it lasted.
    pub seconds: f64,
    /// The share that a figure may drift each hour, if that was limited.
    pub limit: Option<f64>,
    /// The drift of each figure that was measured throughout.
    pub drifts: Vec<Drift>,
    /// Its stretches, in order of time.
    pub stretches: Vec<SoakStretch>,
}

/// How a figure drifted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Which figure.
    pub name: String,
    /// `bytes`, `ms` or `share`.
    pub unit: String,
    /// Its median.
    pub level: f64,
    /// Its drift each hour as a share of the median, of errors as a share of all operations: estimate, and the bounds of its 90 %
    /// interval.
    pub per_hour: [f64; 3],
    /// Whether it stays within the limit, if there is one.
    pub verdict: Option<DriftVerdict>,
}

/// Whether a drift stays within its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftVerdict {
    /// It does, interval included.
    Passed,
    /// It may or may not.
    Undecided,
    /// It does not, interval included.
    Failed,
}

/// A stretch of the load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SoakStretch {
    /// When it ended, seconds after the soak began.
    pub at_s: f64,
    /// Median of the response times, milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the response times, milliseconds.
    pub p99_ms: f64,
    /// The share of operations that failed or whose outcome is unknown.
    pub errors: f64,
    /// Memory that all Redis servers that accept writes use, bytes.
    pub redis_bytes: Option<f64>,
    /// Resident memory of the process that is driven, bytes: the application's, or this one's.
    pub process_bytes: Option<f64>,
}

impl Soak {
    /// The verdict on all figures; `None` without a limit.
    pub fn verdict(&self) -> Option<DriftVerdict> {
        self.limit?;
        let verdicts = || self.drifts.iter().filter_map(|drift| drift.verdict);
        let any = |verdict| verdicts().any(|each| each == verdict);
        Some(match (any(DriftVerdict::Failed), any(DriftVerdict::Undecided) || self.drifts.is_empty()) {
            (true, _) => DriftVerdict::Failed,
            (false, true) => DriftVerdict::Undecided,
            (false, false) => DriftVerdict::Passed,
        })
    }
}

impl DriftVerdict {
    /// Its name, as in `capacity.json`.
    pub fn name(self) -> &'static str {
        match self {
            DriftVerdict::Passed => "passed",
            DriftVerdict::Undecided => "undecided",
            DriftVerdict::Failed => "failed",
        }
    }
}
