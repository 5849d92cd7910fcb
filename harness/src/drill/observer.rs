//! What happens in a running drill, told as it happens to whoever watches it: the progress line, the events of `--json`,
//! the live page, metrics. There is no other account of a running drill. The drill never waits for an observer, and what
//! it tells is what it records anyway: telling costs an operation nothing.

use std::sync::Arc;

use firedrill_reports::Run;
use firedrill_storage::{Event, Policy};

use crate::clock::Clock;
use crate::measure::{Latencies, OpLatencies};

/// The parts of a drill, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Redis, the proxy and the application start.
    Setup,
    /// Sessions are created, and the target is warmed up; nothing is measured.
    Preparation,
    /// The measured load, with its faults.
    Load,
    /// The target settles, and every session is read.
    Recovery,
    /// The history is judged.
    Judgement,
}

impl Stage {
    /// Its name in metrics and on the live page.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Setup => "setup",
            Stage::Preparation => "preparation",
            Stage::Load => "load",
            Stage::Recovery => "recovery",
            Stage::Judgement => "judgement",
        }
    }
}

/// An interval of the load, complete: every worker has delivered its share, one to two seconds after its end. The last
/// ones lie behind the end of the load, if operations were still under way then.
#[derive(Debug, Clone, Copy)]
pub struct Tick<'a> {
    /// Its end, in seconds since the load started.
    pub at: f64,
    /// Its length, in seconds.
    pub lasting: f64,
    /// Length of the load in seconds.
    pub of: f64,
    /// Operations that ended in it, per second.
    pub rate: f64,
    /// 95th percentile of their response times, in milliseconds.
    pub p95_ms: f64,
    /// Operations acknowledged by the fallback so far.
    pub degraded: u64,
    /// Failed or unknown operations so far.
    pub errors: u64,
    /// The latencies of the operations that ended in it.
    pub all: &'a Latencies,
    /// The same by operation and outcome.
    pub each: &'a OpLatencies,
}

impl Tick<'_> {
    /// Whether it began before the planned end of the load.
    pub fn is_of_the_load(&self) -> bool {
        self.at - self.lasting < self.of
    }
}

/// A fault that took hold or ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultChange<'a> {
    /// Its position in the scenario, from 0.
    pub fault: u32,
    /// Its kind, such as `proxy.down`.
    pub kind: &'a str,
    /// Whether it took hold; otherwise it was undone.
    pub on: bool,
    /// When, in milliseconds since the load started.
    pub at_ms: f64,
}

impl std::fmt::Display for FaultChange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.on { "on" } else { "off" };
        write!(f, "{} {word} at {:.2} s", self.kind, self.at_ms / 1e3)
    }
}

/// Something that happened in a drill.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// The next step begins.
    Step {
        /// The part of the drill it belongs to.
        stage: Stage,
        /// The step in words, such as `starting Redis`.
        text: &'a str,
    },
    /// The drill's clock runs: the measured load starts at its zero, a moment from now.
    LoadStarts {
        /// The clock.
        clock: Clock,
    },
    /// An interval of the load is complete.
    Tick(&'a Tick<'a>),
    /// A fault took hold or ended.
    Fault(FaultChange<'a>),
    /// A deploy switched the store's policy.
    Deployed {
        /// The policy from now on.
        policy: Policy,
        /// Sessions lost by that.
        lost: u64,
        /// When, in milliseconds since the load started.
        at_ms: f64,
    },
    /// A store under test reported an event, between the target's start and its end.
    Store {
        /// Which of several stores, from 0.
        instance: u32,
        /// The event.
        event: &'a Event,
        /// When, in milliseconds since the load started; negative before it.
        at_ms: f64,
    },
    /// The drill is over, and its record and report are on disk.
    Judged(&'a Run),
}

/// Watches a drill. Called from several of the drill's threads; a slow observer delays the drill's record, so one that has
/// to wait for something does so on a thread of its own.
pub trait Observer: Send + Sync {
    /// Called for everything that happens, when it happens.
    fn see(&self, happening: &Happening<'_>);
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn see(&self, _: &Happening<'_>) {}
}

/// Several observers of the same drill, told in this order.
#[derive(Clone, Default)]
pub struct Several(pub Vec<Arc<dyn Observer>>);

impl Observer for Several {
    fn see(&self, happening: &Happening<'_>) {
        self.0.iter().for_each(|observer| observer.see(happening));
    }
}
