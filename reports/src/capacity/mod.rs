//! The record of a capacity search, `capacity.json`, and its renderings.

mod csv;
pub(crate) mod details;
mod file;
mod memory;
pub(crate) mod row;
mod sizing;
mod soak;
mod survivable;
mod waits;
pub(crate) mod words;

use serde::{Deserialize, Serialize};

use crate::run::Fact;

pub use csv::steps_csv;
pub use file::{CAPACITY_FILE, CAPACITY_PAGE, CapacityError, STEPS_FILE};
pub use memory::{Fill, Memory, Part, Save, Stored};
pub use sizing::{HeadRoom, NodeAnswer, Sizing, Until};
pub use soak::{Drift, DriftVerdict, Soak, SoakStretch};
pub use survivable::{Drilled, Survivable, SurvivableAnswer};
pub use waits::{NetworkPath, Waits};

/// The version of the format; readers refuse a later one.
pub const FORMAT_VERSION: u32 = 3;

/// What a search for the highest rate found. Rates are in operations per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// [`FORMAT_VERSION`] when it was written.
    pub format_version: u32,
    /// The Firedrill that wrote it.
    pub firedrill_version: String,
    /// When the search began (RFC 3339).
    pub started: String,
    /// The scenario whose load shape was used.
    pub scenario: String,
    /// The kind of target.
    pub target: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// The objectives that had to hold; none if no rate was searched for.
    pub objectives: Vec<Objective>,
    /// The highest rate at which they hold.
    pub knee: Knee,
    /// Whether the search ended before the interval was as narrow as asked.
    pub cut_short: bool,
    /// Whether a signal ended it.
    pub interrupted: bool,
    /// The half-width of the interval that was asked for, as a share of the knee.
    pub wanted_width: f64,
    /// The way to Redis without load, if it was measured.
    #[serde(default)]
    pub path: Option<NetworkPath>,
    /// The generator's own ceiling; absent if none was found.
    pub ceiling: Option<f64>,
    /// What gave way first.
    pub limit: Limit,
    /// The mean number of operations in flight at the knee (Little's law): the connections it takes, if each carries one.
    pub in_flight: Option<f64>,
    /// CPU time of Redis's main thread for one operation near the knee, in microseconds.
    pub redis_cpu_us: Option<f64>,
    /// The Universal Scalability Law, if there were enough steady steps.
    pub scalability: Option<Scalability>,
    /// The highest rate that survives the scenario's faults, if that was asked.
    pub survivable: Option<Survivable>,
    /// What sessions take of Redis's memory, if that was asked.
    pub memory: Option<Memory>,
    /// What drifted under a long load, if that was asked.
    pub soak: Option<Soak>,
    /// How long the capacity lasts, if today's rate was given.
    pub head_room: Option<HeadRoom>,
    /// The nodes that today's load takes, if types were given.
    pub sizing: Option<Sizing>,
    /// Every step, in the order in which they ran.
    pub steps: Vec<Step>,
    /// What it ran on, in display order.
    pub environment: Vec<Fact>,
    /// The command that repeats the search.
    pub replay: String,
}

/// An objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// As written: `read.p99 <= 5ms`.
    pub text: String,
    /// The share of operations that may exceed it.
    pub allowed: f64,
}

/// The highest rate at which the objectives hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Knee {
    /// A rate and its 90 % interval.
    At {
        /// The median.
        rate: f64,
        /// The knee is lower with a probability of 5 %.
        low: f64,
        /// The knee is higher with a probability of 5 %.
        high: f64,
    },
    /// At least this rate; the generator cannot tell more.
    AtLeast {
        /// The rate.
        rate: f64,
    },
    /// The objectives did not hold even at this rate.
    Below {
        /// The rate.
        rate: f64,
    },
    /// No answer.
    Unknown {
        /// Why.
        why: String,
    },
    /// No objective was given, and no rate was searched for.
    NotAsked,
}

impl Knee {
    /// The rates it may have; `None` if nothing is known.
    pub fn range(&self) -> Option<(f64, f64)> {
        match self {
            Knee::At { low, high, .. } => Some((*low, *high)),
            Knee::AtLeast { rate } => Some((*rate, f64::INFINITY)),
            Knee::Below { rate } => Some((0.0, *rate)),
            Knee::Unknown { .. } | Knee::NotAsked => None,
        }
    }
}

/// How two answers relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The intervals overlap: no difference is shown.
    None,
    /// The whole interval is below the other's.
    Lower,
    /// The whole interval is above the other's.
    Higher,
}

/// What gave way first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Its name.
    pub name: LimitName,
    /// What shows it.
    pub evidence: String,
    /// Whether an intervention confirmed it: with half of the suspect, the knee was about half as high. Absent if none was made.
    #[serde(default)]
    pub confirmed: Option<bool>,
}

/// The names of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitName {
    /// The thread on which Redis executes commands.
    RedisMainThread,
    /// A CPU quota on Redis.
    Quota,
    /// The memory of Redis: it refused writes or evicted keys.
    Memory,
    /// The processors that the application can use: one if it has one thread for its work, or all.
    Application,
    /// The connections of the target: all of them were waiting for answers, and nothing was busy.
    Connections,
    /// The application's connections to Redis: requests waited for one, and nothing was busy.
    Pool,
    /// The disk: Redis's main thread waited for it with its append-only file.
    Disk,
    /// The network between the target and Redis.
    Network,
    /// The load generator.
    Generator,
    /// The processors of the machine, which generator and target share.
    Processors,
    /// Other virtual machines, or other processes of this one, took processor time.
    Neighbours,
    /// None of the above.
    NotDetermined,
}

/// One step of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Whether the load went to the target, or to nothing, for the generator's own ceiling.
    pub of_target: bool,
    /// `ceiling`, `climb`, `bracket` or `repeat`.
    pub phase: String,
    /// The rate asked for.
    pub rate: f64,
    /// Its length with all extensions, in seconds.
    pub seconds: u32,
    /// Its verdict.
    pub verdict: StepVerdict,
    /// Why; empty if it passed.
    pub why: String,
    /// Operations answered per second.
    pub throughput: f64,
    /// The mean number of operations due but not answered.
    pub in_flight: f64,
    /// Median of the response times, milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the response times, milliseconds.
    pub p99_ms: f64,
    /// The share of operations that failed or whose outcome is unknown.
    pub errors: f64,
    /// For each objective, the share of operations that exceeded it.
    pub shares: Vec<Share>,
    /// (L − X·R)/L, Little's law; absent if hardly any operation was in flight.
    pub little: Option<f64>,
    /// Cores that Redis's main thread used.
    pub redis_cores: Option<f64>,
    /// The share of the time in which a CPU quota held Redis back; absent if it runs elsewhere or has none.
    pub redis_throttled: Option<f64>,
    /// Cores that this process used: the generator, and a target that runs in it.
    pub process_cores: Option<f64>,
    /// Cores that were idle.
    pub idle_cores: Option<f64>,
    /// The share of the processors' time that other virtual machines took.
    pub stolen: Option<f64>,
    /// Keys that Redis evicted, and writes that it refused because its memory was full; absent in records of version 1.
    #[serde(default)]
    pub out_of_memory: Option<u64>,
    /// What operations may have waited for; empty in records of versions 1 and 2.
    #[serde(default)]
    pub waits: Waits,
}

/// A share and its interval; each bound is one-sided at 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The share in all seconds together.
    pub share: f64,
    /// It is above this.
    pub low: f64,
    /// It is below this.
    pub high: f64,
}

/// The verdict on a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepVerdict {
    /// Every objective held.
    Passed,
    /// One did not, or the backlog grew.
    Failed,
    /// It may be either.
    Undecided,
    /// Too few operations to tell.
    TooFew,
    /// The step says nothing about the target.
    Distrusted,
}

impl StepVerdict {
    /// Whether the step's backlog stayed as it was, so that its operations in flight are those that its rate takes.
    pub fn is_steady(self) -> bool {
        matches!(self, StepVerdict::Passed | StepVerdict::Undecided | StepVerdict::TooFew)
    }

    /// Its name, as in `capacity.json`.
    pub fn name(self) -> &'static str {
        match self {
            StepVerdict::Passed => "passed",
            StepVerdict::Failed => "failed",
            StepVerdict::Undecided => "undecided",
            StepVerdict::TooFew => "too-few",
            StepVerdict::Distrusted => "distrusted",
        }
    }
}

/// A fit of X(N) = λN / (1 + σ(N−1) + κN(N−1)); each parameter as its estimate and the bounds of its 90 % interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scalability {
    /// λ: operations per second with one in flight.
    pub lambda: [f64; 3],
    /// σ, the serial share.
    pub sigma: [f64; 3],
    /// κ, the cost of coherence.
    pub kappa: [f64; 3],
    /// The peak: operations in flight, and operations per second; absent if κ may be 0.
    pub peak: Option<(f64, f64)>,
    /// Whether the peak lies beyond 1.5 times the highest measured concurrency.
    pub extrapolated: bool,
    /// The highest measured concurrency.
    pub measured_to: f64,
}

impl Capacity {
    /// The steps on the target.
    pub fn on_target(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.of_target)
    }

    /// How this answer relates to an earlier one; `None` if one of them has none.
    pub fn changed_since(&self, earlier: &Capacity) -> Option<Change> {
        let ((low, high), (from, to)) = (self.knee.range()?, earlier.knee.range()?);
        Some(match (high < from, low > to) {
            (true, _) => Change::Lower,
            (_, true) => Change::Higher,
            _ => Change::None,
        })
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A record with a knee.
    pub fn capacity(knee: Knee) -> Capacity {
        let step = |rate: f64, verdict, of_target| Step {
            of_target,
            phase: if of_target { "climb" } else { "ceiling" }.to_owned(),
            rate,
            seconds: 4,
            verdict,
            why: if verdict == StepVerdict::Failed { "read.p99 <= 5ms".to_owned() } else { String::new() },
            throughput: rate,
            in_flight: rate * 0.001,
            p50_ms: 0.4,
            p99_ms: rate / 4_000.0,
            errors: 0.0,
            shares: vec![Share { share: 0.004, low: 0.003, high: 0.006 }],
            little: Some(0.01),
            redis_cores: Some(rate / 20_000.0),
            redis_throttled: None,
            process_cores: Some(0.8),
            idle_cores: Some(0.3),
            stolen: Some(0.0),
            out_of_memory: Some(0),
            waits: Waits::default(),
        };
        Capacity {
            format_version: FORMAT_VERSION,
            firedrill_version: "0.1.0".to_owned(),
            started: "2026-11-29T22:00:00Z".to_owned(),
            scenario: "redis-outage".to_owned(),
            target: "store".to_owned(),
            seed: 7,
            objectives: vec![Objective { text: "read.p99 <= 5ms".to_owned(), allowed: 0.01 }],
            knee,
            cut_short: false,
            interrupted: false,
            wanted_width: 0.05,
            path: Some(NetworkPath { ping_ms: 0.08, carries: Some(9e8) }),
            ceiling: Some(90_000.0),
            limit: Limit { name: LimitName::RedisMainThread, evidence: "0.97 of a core".to_owned(), confirmed: None },
            in_flight: Some(18.2),
            redis_cpu_us: Some(46.0),
            scalability: None,
            survivable: None,
            memory: None,
            soak: None,
            head_room: None,
            sizing: None,
            steps: vec![
                step(90_000.0, StepVerdict::Passed, false),
                step(10_000.0, StepVerdict::Passed, true),
                step(20_000.0, StepVerdict::Passed, true),
                step(22_000.0, StepVerdict::Failed, true),
            ],
            environment: vec![Fact { key: "redis".to_owned(), value: "7.0.15".to_owned() }],
            replay: "firedrill capacity redis-outage --slo 'read.p99 <= 5ms' --seed 7".to_owned(),
        }
    }

    /// A knee with an interval.
    pub fn at(low: f64, rate: f64, high: f64) -> Knee {
        Knee::At { rate, low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{at, capacity};
    use super::*;

    #[test]
    fn a_change_is_only_what_the_intervals_show() {
        let change = |now: Knee, then: Knee| capacity(now).changed_since(&capacity(then));
        assert_eq!(change(at(90.0, 95.0, 101.0), at(100.0, 105.0, 110.0)), Some(Change::None));
        assert_eq!(change(at(90.0, 95.0, 99.0), at(100.0, 105.0, 110.0)), Some(Change::Lower));
        assert_eq!(change(at(111.0, 115.0, 120.0), at(100.0, 105.0, 110.0)), Some(Change::Higher));
        assert_eq!(change(Knee::AtLeast { rate: 90.0 }, at(100.0, 105.0, 110.0)), Some(Change::None));
        assert_eq!(change(Knee::Below { rate: 90.0 }, at(100.0, 105.0, 110.0)), Some(Change::Lower));
        assert_eq!(change(Knee::Unknown { why: String::new() }, at(100.0, 105.0, 110.0)), None);
    }
}
