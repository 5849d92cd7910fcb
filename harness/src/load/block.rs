//! One part of a load, as the user sets it: which operations, when, on which sessions, how large.

use std::time::Duration;

use super::arrivals::{ArrivalProcess, Stage};
use super::key_distribution::KeyDistribution;
use crate::clock::Nanos;
use crate::history::{OpKind, SessionNo};

/// Sessions that exist before the load, numbered without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRange {
    /// The first one.
    pub first: SessionNo,
    /// How many.
    pub count: u32,
}

impl SessionRange {
    /// One past the last session.
    pub fn end(&self) -> u64 {
        u64::from(self.first) + u64::from(self.count)
    }
}

/// How often each kind of operation comes, relative to the others; in the order of [`OpKind::ALL`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix([f64; OpKind::COUNT]);

impl Mix {
    /// A mix of the kinds named; the others do not occur.
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

/// Size of the payload of an operation that writes a whole session, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Payload {
    /// Always the same.
    Fixed(u32),
    /// Any size between two, both included.
    Uniform {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// Many small ones and a long tail.
    LogNormal {
        /// Half of all payloads are smaller.
        median: u32,
        /// Standard deviation of the size's natural logarithm.
        sigma: f64,
        /// Larger draws are cut to this.
        max: u32,
    },
}

/// How long a virtual user waits between an answer and the next operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Think {
    /// Not at all.
    None,
    /// Always as long.
    Constant(Duration),
    /// Exponentially distributed around this mean.
    Exponential(Duration),
}

/// What decides when operations are due.
#[derive(Debug, Clone, PartialEq)]
pub enum Pacing {
    /// Operations are due at instants of their own, whatever became of those before.
    Open {
        /// The rate over time.
        stages: Vec<Stage>,
        /// How arrivals are spaced.
        arrivals: ArrivalProcess,
    },
    /// Virtual users, each waiting for its reply before it continues.
    Closed {
        /// How many.
        users: u32,
        /// What they do between answer and next operation.
        think: Think,
        /// How long they last.
        length: Duration,
        /// All users together send no more than this per second.
        rate_cap: Option<f64>,
    },
}

impl Pacing {
    /// How long operations are released.
    pub fn length(&self) -> Duration {
        match self {
            Pacing::Open { stages, .. } => stages.iter().map(|stage| stage.length).sum(),
            Pacing::Closed { length, .. } => *length,
        }
    }
}

/// One part of a load. Blocks run beside or after each other, as their beginnings say.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadBlock {
    /// As reports call it.
    pub name: String,
    /// When it begins, in nanoseconds on the drill's clock.
    pub at: Nanos,
    /// When operations are due.
    pub pacing: Pacing,
    /// Which operations.
    pub mix: Mix,
    /// On which sessions.
    pub keys: KeyDistribution,
    /// The sessions that exist beforehand. Several blocks may share them.
    pub sessions: SessionRange,
    /// How much an operation writes.
    pub payload: Payload,
    /// The share of the reads, in 0..=1, that go to sessions this block has destroyed, to see that none comes back.
    pub ghost_reads: f64,
    /// How long an operation may take from its start before it is settled as unknown.
    pub deadline: Duration,
    /// In an open loop: how many operations may be in flight. Operations beyond that queue, and their wait counts.
    pub max_in_flight: u32,
    /// In an open loop: how many operations may queue. Those beyond it are dropped, and counted.
    pub queue: u32,
}

impl LoadBlock {
    /// A block of reads with the defaults for everything not named: uniform keys, 1 KiB payloads, 2 % of reads on
    /// destroyed sessions, a deadline of 5 s, 1024 operations under way, 65 536 queued.
    pub fn new(name: &str, pacing: Pacing, sessions: SessionRange) -> Self {
        Self {
            name: name.to_owned(),
            at: 0,
            pacing,
            mix: Mix::of(&[(OpKind::Read, 1.0)]),
            keys: KeyDistribution::Uniform,
            sessions,
            payload: Payload::Fixed(1024),
            ghost_reads: 0.02,
            deadline: Duration::from_secs(5),
            max_in_flight: 1024,
            queue: 65_536,
        }
    }

    /// When its last operation may be due.
    pub fn end(&self) -> Nanos {
        let length = Nanos::try_from(self.pacing.length().as_nanos()).unwrap_or(Nanos::MAX);
        self.at.saturating_add(length)
    }

    pub(super) fn deadline_ns(&self) -> Nanos {
        self.deadline.as_nanos() as Nanos
    }

    /// Streams of operations: one, or one per virtual user.
    pub(super) fn streams(&self) -> u32 {
        match self.pacing {
            Pacing::Open { .. } => 1,
            Pacing::Closed { users, .. } => users,
        }
    }
}
