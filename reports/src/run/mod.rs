//! The model of `run.json`: everything that one drill judged and measured, in reading order. `docs/run-json.md`
//! describes the same for people who read the file with other tools.
//!
//! Times are milliseconds on the drill's clock: 0 is the start of the measured load, earlier times are negative. Shares
//! are fractions from 0 to 1. Every number is finite; what was not measured is absent, never 0.

mod batch;
mod fault;
mod file;
mod generator;
mod impact;
mod latency;
mod machine;
mod phase;
mod phase_name;
mod situation;
mod store;
mod timeline;
mod verdict;

use serde::{Deserialize, Serialize};

pub use batch::{Batch, BatchResponse};
pub use fault::{Activation, Drained, Fallback, Fault};
pub use file::{HISTORY_FILE, REPORT_FILE, RUN_FILE, RunError, write_synced, write_whole};
pub use generator::Generator;
pub use impact::{Impact, Touched};
pub use latency::{Curve, CurvePoint, Quantiles};
pub use machine::{Machine, Stall};
pub use phase::{CauseCount, Figures, OpStats, Outcome, OutcomeCounts, Phase, Refusal, Stretch};
pub use phase_name::PhaseName;
pub use situation::{Reached, Situation};
pub use store::{BreakerOutage, Deploy, Missing, StoreEvents};
pub use timeline::{Bucket, BucketLatency, ResourceSample, Timeline};
pub use verdict::{Check, CheckVerdict, Gate, GateVerdict, KindCount, Offence, OffenceCause, Unit, Verdict};

/// The version of the format that this crate writes, and the newest it reads. It increases only if an older reader
/// would misunderstand the file; fields that an older reader may ignore are added without an increase.
///
/// Version 2: the rates of phases count what was acknowledged by the clock, `achieved_rate` became `delivered_rate` and
/// counts what was settled in time, and operations answered "no such session" for a session that must exist are
/// `missing`.
pub const FORMAT_VERSION: u32 = 2;

/// The record of one drill. `Run::default()` is an empty, inconclusive record to fill in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Version of this format; see [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of the Firedrill that ran the drill, such as `0.1.0`.
    pub firedrill_version: String,
    /// What was drilled.
    pub scenario: Scenario,
    /// The result of the drill.
    pub verdict: Verdict,
    /// Why the verdict is not `passed`: one sentence each, the most important first; empty if it is.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// The exit status of the command if this were its only drill (0 passed, 1 failed, 3 inconclusive, 130
    /// interrupted).
    pub exit_status: i32,
    /// The seed of the operations and the fault timeline.
    pub seed: u64,
    /// The command line that repeats the drill.
    pub replay: String,
    /// When the measured load started: RFC 3339, UTC, with milliseconds (see [`crate::text::rfc3339`]).
    pub started_at: String,
    /// The length of the measured load, in seconds.
    pub load_seconds: f64,
    /// What the drill ran on, in display order: Redis version, kernel, processor, policy, persistence, topology.
    #[serde(default)]
    pub environment: Vec<Fact>,
    /// The scenario as it ran, including all defaults and overrides, as TOML.
    #[serde(default)]
    pub config: String,
    /// All gates, in scenario order.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// The measured claims about the store: passed means proven, failed means refuted.
    #[serde(default)]
    pub claims: Vec<Gate>,
    /// All checkers' findings.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// What the drill meant to the users; absent in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
    /// What the scenario says must have happened, in its order.
    #[serde(default)]
    pub situations: Vec<Situation>,
    /// The operations of the load by the state of the target in which they were sent: each state that there was with each
    /// operation of the mix.
    #[serde(default)]
    pub reached: Vec<Reached>,
    /// Whether the load generator delivered the planned load.
    #[serde(default)]
    pub generator: Generator,
    /// All faults, in scenario order.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// The measurements before, during and after the faults, in order of time. Phases that did not occur are absent.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// The same figures for each fault, if there are several or it has a name, and for each load block.
    #[serde(default)]
    pub stretches: Vec<Stretch>,
    /// When the machine kept the harness from running.
    #[serde(default)]
    pub machine: Machine,
    /// The time from the end of the last fault until the target was steady again, in milliseconds; absent if it never
    /// was, or if there was no fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_ms: Option<f64>,
    /// When the target was steady again, on the drill's clock in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_at_ms: Option<f64>,
    /// The meaning of "steady again", or why there is no recovery time; one sentence.
    #[serde(default)]
    pub recovery_note: String,
    /// What the store's fallback did.
    #[serde(default)]
    pub fallback: Fallback,
    /// What the store did besides its fallback.
    #[serde(default)]
    pub store: StoreEvents,
    /// The load over time, in buckets.
    #[serde(default)]
    pub timeline: Timeline,
    /// Response times by percentile: per phase for all operations, and per phase and operation.
    #[serde(default)]
    pub percentile_curves: Vec<Curve>,
    /// Operations that were not `ok`, by cause.
    #[serde(default)]
    pub errors: Vec<CauseCount>,
    /// Redis's refusals of the load, by code.
    #[serde(default)]
    pub refusals: Vec<Refusal>,
    /// Memory, CPU and the connection to Redis over time, if available.
    #[serde(default)]
    pub resources: Vec<ResourceSample>,
    /// The other files of this run, next to `run.json`.
    #[serde(default)]
    pub files: Vec<SavedFile>,
}

/// What was drilled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name, such as `redis-outage`.
    pub name: String,
    /// A sentence about it.
    #[serde(default)]
    pub about: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// One line about the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The name, such as `redis`.
    pub key: String,
    /// Its value, such as `7.0.15`. Never a secret: URLs come without user and password.
    pub value: String,
}

/// A file next to `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    /// Its name, relative to the run's folder.
    pub name: String,
    /// Its content, in a few words.
    pub about: String,
}

impl Run {
    /// Adds a line about the environment.
    pub fn fact(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.environment.push(Fact { key: key.into(), value: value.into() });
    }

    /// Adds a file next to `run.json`.
    pub fn file(&mut self, name: impl Into<String>, about: impl Into<String>) {
        self.files.push(SavedFile { name: name.into(), about: about.into() });
    }

    /// The phase called `name`, if there was one.
    pub fn phase(&self, name: PhaseName) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// The curve of all operations of a phase, if there is one.
    pub fn curve(&self, phase: PhaseName) -> Option<&Curve> {
        self.percentile_curves.iter().find(|curve| curve.phase == phase && curve.op.is_none())
    }
}

impl Default for Run {
    fn default() -> Self {
        Self {
            format_version: FORMAT_VERSION,
            firedrill_version: String::new(),
            scenario: Scenario::default(),
            verdict: Verdict::Inconclusive,
            reasons: Vec::new(),
            exit_status: 3,
            seed: 0,
            replay: String::new(),
            started_at: String::new(),
            load_seconds: 0.0,
            environment: Vec::new(),
            config: String::new(),
            gates: Vec::new(),
            claims: Vec::new(),
            checks: Vec::new(),
            impact: None,
            situations: Vec::new(),
            reached: Vec::new(),
            generator: Generator::default(),
            faults: Vec::new(),
            phases: Vec::new(),
            stretches: Vec::new(),
            machine: Machine::default(),
            recovery_ms: None,
            recovered_at_ms: None,
            recovery_note: String::new(),
            fallback: Fallback::default(),
            store: StoreEvents::default(),
            timeline: Timeline::default(),
            percentile_curves: Vec::new(),
            errors: Vec::new(),
            refusals: Vec::new(),
            resources: Vec::new(),
            files: Vec::new(),
        }
    }
}
