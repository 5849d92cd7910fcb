//! The keys of a `[[load]]`: when operations are due, on which sessions, of which size. The doc comments here are the descriptions in
//! the JSON Schema.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::OpKind;
use crate::load::Recording;
use crate::units::{Bytes, Rate, Share, Span};

/// One block of load with its own sessions. `rate` (or `stages`) makes it an open loop, `users` a closed one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSpec {
    /// Short name, `a-z 0-9 -`, by which gates call it: `load.NAME.p95`. Default: its position, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it starts, from the start of the load.
    #[serde(default)]
    pub at: Span,
    /// How long it lasts. With `stages`: not given, the stages' lengths add up.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub length: Option<Span>,
    /// Open loop: operations a second, whatever the target does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Open loop: how arrivals are spread.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Open loop whose rate changes: one stage after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageSpec>,
    /// Closed loop: virtual users, each with one operation at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// Closed loop: the users begin one after the other, evenly over this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Span>,
    /// Closed loop: pause of a virtual user between two operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<ThinkSpec>,
    /// Closed loop: all users together send at most this many operations a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_cap: Option<Rate>,
    /// Open loop: sends what MONITOR once recorded, at the instants of the recording (redis target).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplaySpec>,
    /// Sessions that exist when the load starts.
    #[serde(default = "default_sessions")]
    pub sessions: u32,
    /// Which sessions are used how often.
    #[serde(default)]
    pub keys: KeySpec,
    /// Size of a new session.
    #[serde(default)]
    pub payload: PayloadSpec,
    /// Weights of the operations.
    #[serde(default)]
    pub mix: Mix,
    /// The share of the reads, appends and touches that go to sessions which the load has destroyed. Default: 2 % of the reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ghosts: Option<Share>,
    /// When an operation becomes `unknown` if the target has not returned.
    #[serde(default = "default_deadline")]
    pub deadline: Span,
}

fn default_sessions() -> u32 {
    100
}

fn default_deadline() -> Span {
    Span::secs(5)
}

/// A recording to be sent again: `{ file = "monitor.txt", speed = 2.0 }`. Rate, length, sessions and mix are the recording's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaySpec {
    /// What `redis-cli monitor` printed, by a path relative to the scenario.
    pub file: PathBuf,
    /// How many times faster than it was recorded.
    #[serde(default = "as_recorded")]
    pub speed: f64,
    /// What the file holds.
    #[serde(skip)]
    pub recording: Arc<Recording>,
}

fn as_recorded() -> f64 {
    1.0
}

/// How arrivals of an open loop are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Independent users: exponential gaps.
    #[default]
    Poisson,
    /// A metronome: equal gaps.
    Constant,
}

/// A stretch of an open loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// Rate at the end of the stage, and throughout it unless it ramps.
    pub rate: Rate,
    /// How long the stage lasts.
    #[serde(rename = "for")]
    pub length: Span,
    /// Change linearly from the rate of the previous stage (0 before the first) to this stage's rate.
    #[serde(default)]
    pub ramp: bool,
}

/// Which sessions are used how often.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeySpec {
    /// All alike.
    #[default]
    Uniform,
    /// By Zipf's law with this exponent: few sessions get most operations.
    Zipf(f64),
    /// A share of the sessions gets a share of the operations.
    Hotspot {
        /// Share of the sessions that is hot.
        sessions: Share,
        /// Share of the operations that goes to them.
        operations: Share,
    },
    /// Normally distributed around one of the sessions, in the order of their numbers.
    Gaussian {
        /// Where the middle is: `50%` is the session in the middle.
        #[serde(default = "middle")]
        mean: Share,
        /// Standard deviation, as a share of the sessions.
        deviation: Share,
    },
}

fn middle() -> Share {
    Share(0.5)
}

/// Pause of a virtual user between two operations: `"1s"`, or `{ constant = "1s" }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum ThinkSpec {
    /// Exponentially distributed with this mean, like people's pauses.
    Exponential(Span),
    /// Always the same.
    Constant {
        /// How long.
        constant: Span,
    },
}

/// Size of a new session: `"50KB"`, `{ min = "1KB", max = "50KB" }`, or `{ median = "8KB", sigma = 1.2, max =
/// "512KB" }`, or a list of sizes with weights: `[{ size = "1KB", weight = 9 }, { size = "50KB", weight = 1 }]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum PayloadSpec {
    /// Always the same.
    Fixed(Bytes),
    /// Evenly between two sizes.
    Between {
        /// The smallest.
        min: Bytes,
        /// The largest.
        max: Bytes,
    },
    /// Log-normal: most are small, a few are very large.
    LogNormal {
        /// Half of the sessions are smaller.
        median: Bytes,
        /// Standard deviation of the size's natural logarithm: about 68 % of the sizes lie within a factor of e to this
        /// power of the median.
        sigma: f64,
        /// Larger draws are cut to this.
        max: Bytes,
    },
    /// One of these sizes.
    OneOf(Vec<WeightedSize>),
}

/// A size and how often it is drawn, relative to the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedSize {
    /// The size.
    pub size: Bytes,
    /// How often.
    #[serde(default = "as_often")]
    pub weight: f64,
}

fn as_often() -> f64 {
    1.0
}

impl PayloadSpec {
    /// The largest size that it draws.
    pub fn largest(&self) -> Bytes {
        match self {
            Self::Fixed(size) => *size,
            Self::Between { max, .. } | Self::LogNormal { max, .. } => *max,
            Self::OneOf(sizes) => sizes.iter().map(|one| one.size).max().unwrap_or(Bytes(0)),
        }
    }
}

impl Default for PayloadSpec {
    /// The trivia session with ten questions and their answers.
    fn default() -> Self {
        Self::Fixed(Bytes(50_000))
    }
}

/// Weights of the operations: `{ create = 1, read = 6, append = 3 }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// Create a session.
    #[serde(default)]
    pub create: f64,
    /// Read a session.
    #[serde(default)]
    pub read: f64,
    /// Append an item to a session.
    #[serde(default)]
    pub append: f64,
    /// Overwrite a session whole.
    #[serde(default)]
    pub put: f64,
    /// Extend a session's lifetime without reading it.
    #[serde(default)]
    pub touch: f64,
    /// End a session.
    #[serde(default)]
    pub destroy: f64,
    /// Claim a session's one reward.
    #[serde(default)]
    pub award: f64,
    /// Ask for the latest 50 sessions of a session's user.
    #[serde(default)]
    pub list: f64,
    /// Ask how many sessions there are.
    #[serde(default)]
    pub count: f64,
    /// Ask how the store is.
    #[serde(default)]
    pub health: f64,
    /// Give a session a new id, as at a login.
    #[serde(default)]
    pub renew: f64,
    /// Read a session under the id that it had before its last renewal: nothing must be there.
    #[serde(default)]
    pub revisit: f64,
    /// End every session of a session's user.
    #[serde(rename = "logout-everywhere", default)]
    pub logout_everywhere: f64,
    /// Add one to a session that is a counter.
    #[serde(default)]
    pub increment: f64,
    /// Send a command of your own that is none of these (`target.redis.command`).
    #[serde(default)]
    pub command: f64,
}

impl Mix {
    /// Each kind of operation with its weight.
    pub fn weights(&self) -> [(OpKind, f64); OpKind::COUNT] {
        [
            (OpKind::Create, self.create),
            (OpKind::Read, self.read),
            (OpKind::Append, self.append),
            (OpKind::Put, self.put),
            (OpKind::Touch, self.touch),
            (OpKind::Destroy, self.destroy),
            (OpKind::Award, self.award),
            (OpKind::List, self.list),
            (OpKind::Count, self.count),
            (OpKind::Health, self.health),
            (OpKind::Renew, self.renew),
            (OpKind::Revisit, self.revisit),
            (OpKind::LogoutEverywhere, self.logout_everywhere),
            (OpKind::Increment, self.increment),
            (OpKind::Command, self.command),
        ]
    }
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            create: 1.0,
            read: 6.0,
            append: 3.0,
            put: 0.0,
            touch: 0.0,
            destroy: 0.0,
            award: 0.0,
            list: 0.0,
            count: 0.0,
            health: 0.0,
            renew: 0.0,
            revisit: 0.0,
            logout_everywhere: 0.0,
            increment: 0.0,
            command: 0.0,
        }
    }
}
