//! One part of a load, as the user configures it: which operations, when, on which sessions, how large.

use std::sync::Arc;
use std::time::Duration;

use super::arrivals::{ArrivalProcess, Stage};
use super::key_distribution::KeyDistribution;
use super::recording::Recording;
use crate::clock::Nanos;
use crate::history::{OpKind, SessionNo};

/// Sessions that exist before the load starts, numbered without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRange {
    /// The number of the first session.
    pub first: SessionNo,
    /// The number of sessions.
    pub count: u32,
}

impl SessionRange {
    /// One past the last session.
    pub fn end(&self) -> u64 {
        u64::from(self.first) + u64::from(self.count)
    }
}

/// The relative weight of each kind of operation, in the order of [`OpKind::ALL`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix([f64; OpKind::COUNT]);

impl Mix {
    /// A mix of the listed kinds; the others do not occur.
    pub fn of(weights: &[(OpKind, f64)]) -> Self {
        let mut mix = [0.0; OpKind::COUNT];
        for &(kind, weight) in weights {
            mix[kind as usize] += weight;
        }
        Self(mix)
    }

    /// The weight of one kind.
    pub fn weight(&self, kind: OpKind) -> f64 {
        self.0[kind as usize]
    }

    pub(super) fn weights(&self) -> &[f64; OpKind::COUNT] {
        &self.0
    }
}

/// Payload size of an operation that writes a whole session, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Always the same size.
    Fixed(u32),
    /// Uniformly distributed between two sizes, inclusive.
    Uniform {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// Log-normal: many small payloads and a long tail.
    LogNormal {
        /// The median size.
        median: u32,
        /// Standard deviation of the size's natural logarithm.
        sigma: f64,
        /// The largest size; larger draws are cut to it.
        max: u32,
    },
    /// One of several sizes, each with its weight.
    OneOf(Vec<(u32, f64)>),
}

impl Payload {
    /// The largest size that it draws.
    pub fn largest(&self) -> u32 {
        match self {
            Payload::Fixed(bytes) => *bytes,
            Payload::Uniform { max, .. } | Payload::LogNormal { max, .. } => *max,
            Payload::OneOf(sizes) => sizes.iter().map(|(size, _)| *size).max().unwrap_or(0),
        }
    }
}

/// How long a virtual user waits between an answer and its next operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Think {
    /// Not at all.
    None,
    /// Always this long.
    Constant(Duration),
    /// Exponentially distributed with this mean.
    Exponential(Duration),
}

/// What decides when operations are due.
#[derive(Debug, Clone, PartialEq)]
pub enum Pacing {
    /// Operations start on schedule, no matter what became of earlier ones.
    Open {
        /// The rate over time.
        stages: Vec<Stage>,
        /// How arrivals are spaced.
        arrivals: ArrivalProcess,
    },
    /// Virtual users, each waiting for its reply before it continues.
    Closed {
        /// The number of users.
        users: u32,
        /// How long they think between an answer and the next operation.
        think: Think,
        /// How long the users are active.
        length: Duration,
        /// They begin one after the other, evenly over this time.
        ramp: Duration,
        /// The most operations per second that all users together send.
        rate_cap: Option<f64>,
    },
}

impl Pacing {
    /// How long the block releases operations.
    pub fn length(&self) -> Duration {
        match self {
            Pacing::Open { stages, .. } => stages.iter().map(|stage| stage.length).sum(),
            Pacing::Closed { length, .. } => *length,
        }
    }
}

/// One part of a load. Blocks run in parallel or in sequence, depending on their start times.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadBlock {
    /// Its name in reports.
    pub name: String,
    /// When it starts, in nanoseconds on the drill's clock.
    pub at: Nanos,
    /// When operations are due.
    pub pacing: Pacing,
    /// Which operations it sends.
    pub mix: Mix,
    /// How it picks sessions.
    pub keys: KeyDistribution,
    /// The sessions that exist before it starts. Several blocks may share them.
    pub sessions: SessionRange,
    /// How much each operation writes.
    pub payload: Payload,
    /// Whether what an append adds has a size of the payload, too.
    pub sized_items: bool,
    /// The share of reads, in 0..=1, that go to sessions this block has destroyed, to check that none comes back.
    pub ghost_reads: f64,
    /// The same share of appends and touches.
    pub ghost_writes: f64,
    /// How long an operation may take from its start before it is settled as unknown.
    pub deadline: Duration,
    /// Open loop: how many operations may be in flight. Further operations queue, and their wait counts.
    pub max_in_flight: u32,
    /// Open loop: how many operations may queue. Further operations are dropped and counted.
    pub queue: u32,
    /// Open loop: what is sent instead of operations drawn from the mix, at its own instants.
    pub replay: Option<Replay>,
}

/// A recording and its speed.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// The operations.
    pub recording: Arc<Recording>,
    /// How many times faster than it was recorded.
    pub speed: f64,
    /// How many commands for keys of other types the recordings of earlier blocks have.
    pub others_before: u32,
}

impl LoadBlock {
    /// A block of reads with defaults for everything else: uniform keys, 1 KiB payloads, 2 % of reads on destroyed
    /// sessions, a deadline of 5 s, 1024 operations in flight, 65 536 queued.
    pub fn new(name: &str, pacing: Pacing, sessions: SessionRange) -> Self {
        Self {
            name: name.to_owned(),
            at: 0,
            pacing,
            mix: Mix::of(&[(OpKind::Read, 1.0)]),
            keys: KeyDistribution::Uniform,
            sessions,
            payload: Payload::Fixed(1024),
            sized_items: false,
            ghost_reads: 0.02,
            ghost_writes: 0.0,
            deadline: Duration::from_secs(5),
            max_in_flight: 1024,
            queue: 65_536,
            replay: None,
        }
    }

    /// The latest time its last operation can be due.
    pub fn end(&self) -> Nanos {
        let length = Nanos::try_from(self.pacing.length().as_nanos()).unwrap_or(Nanos::MAX);
        self.at.saturating_add(length)
    }

    /// The highest rate that it plans, per second; 0 for a closed loop.
    pub(super) fn peak_rate(&self) -> f64 {
        match &self.pacing {
            Pacing::Open { stages, .. } => {
                stages.iter().map(|stage| stage.from_rate.max(stage.to_rate)).fold(0.0, f64::max)
            }
            Pacing::Closed { .. } => 0.0,
        }
    }

    /// One past the last number that its sessions and the other keys of its recording have.
    pub(super) fn keys_end(&self) -> u64 {
        let others = self.replay.as_ref().map_or(0, |replay| replay.recording.other_keys());
        self.sessions.end() + u64::from(others)
    }

    pub(super) fn deadline_ns(&self) -> Nanos {
        self.deadline.as_nanos() as Nanos
    }

    /// The number of operation streams: one, or one per virtual user.
    pub(super) fn streams(&self) -> u32 {
        match self.pacing {
            Pacing::Open { .. } => 1,
            Pacing::Closed { users, .. } => users,
        }
    }
}
