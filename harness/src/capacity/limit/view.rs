//! The steps around a knee, as the rules look at them.

use firedrill_reports::capacity::{NetworkPath, Step, StepVerdict};
use firedrill_reports::text;

/// Steps within this ratio above the knee show what was used up.
const NEAR: f64 = 1.3;

/// Steps from this share of the knee on do, too.
const FROM: f64 = 0.95;

/// Steps below this share of the knee show what was not used up yet.
const WELL_BELOW: f64 = 0.8;

/// With more idle than this share of the processors, it is no processor that operations wait for.
const EASY: f64 = 0.2;

/// What the evidence ends with until an intervention has confirmed or refuted it.
pub const SUSPECTED: &str = ". Suspected, not confirmed by an intervention";

/// What the target runs on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Host {
    /// The number of this machine's processors.
    pub cores: f64,
    /// How many operations the target takes at once.
    pub connections: u32,
    /// Whether the target is an application in a process of its own.
    pub application: bool,
    /// The way to Redis without load, if it is known.
    pub path: Option<NetworkPath>,
}

/// The steps around the knee of one search.
pub struct View<'a> {
    /// The knee, operations per second.
    pub rate: f64,
    /// What it ran on.
    pub host: &'a Host,
    /// Steps on the target near the knee; without any, the lowest beyond it.
    near: Vec<&'a Step>,
    /// The highest step well below it that passed.
    below: Option<&'a Step>,
}

impl<'a> View<'a> {
    /// Those of `steps` that tell about a knee at `rate`.
    pub fn of(rate: f64, steps: &'a [Step], host: &'a Host) -> Self {
        let told = || steps.iter().filter(|step| step.of_target && step.verdict != StepVerdict::Distrusted);
        let mut near: Vec<&Step> = told().filter(|step| (FROM..=NEAR).contains(&(step.rate / rate))).collect();
        // A short search has no step there. The lowest beyond it shows what was used up, too.
        let beyond = told().map(|step| step.rate).filter(|at| *at > rate).reduce(f64::min);
        if let Some(beyond) = beyond.filter(|_| near.is_empty()) {
            near = told().filter(|step| step.rate == beyond).collect();
        }
        let below = steps
            .iter()
            .filter(|step| step.of_target && step.verdict == StepVerdict::Passed && step.rate <= WELL_BELOW * rate)
            .max_by(|one, other| one.rate.total_cmp(&other.rate));
        Self { rate, host, near, below }
    }

    /// The median of a figure over the steps near the knee; `None` if none has it.
    pub fn median(&self, of: impl Fn(&Step) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.near.iter().filter_map(|step| of(step)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// The sum of a count over the steps near the knee.
    pub fn sum(&self, of: impl Fn(&Step) -> Option<u64>) -> u64 {
        self.near.iter().filter_map(|step| of(step)).sum()
    }

    /// Cores that Redis's main thread used.
    pub fn redis(&self) -> Option<f64> {
        self.median(|step| step.redis_cores)
    }

    /// Cores that the generator, or the application, used.
    pub fn process(&self) -> Option<f64> {
        self.median(|step| step.process_cores)
    }

    /// Cores that were idle.
    pub fn idle(&self) -> Option<f64> {
        self.median(|step| step.idle_cores)
    }

    /// Whether so many processors were idle that nothing waited for one.
    pub fn is_easy(&self) -> bool {
        self.idle().is_some_and(|idle| idle > EASY * self.host.cores)
    }

    /// Operations in flight.
    pub fn in_flight(&self) -> Option<f64> {
        self.median(|step| Some(step.in_flight))
    }

    /// Operations answered per second.
    pub fn throughput(&self) -> f64 {
        self.median(|step| Some(step.throughput)).unwrap_or(self.rate).max(1.0)
    }

    /// A figure well below the knee, in words that follow those at the knee.
    pub fn before(&self, of: impl Fn(&Step) -> Option<f64>) -> String {
        let said = |step: &Step| Some(format!(", {:.2} at {}", of(step)?, text::rate(step.rate)));
        self.below.and_then(said).unwrap_or_default()
    }

    /// The call in which Redis's main thread was blocked, in the first step near the knee that has one.
    pub fn blocked_in(&self) -> Option<&'a str> {
        self.near.iter().find_map(|step| step.waits.redis_blocked_in.as_deref())
    }
}

/// A number of cores in words.
pub fn cores(value: Option<f64>) -> String {
    value.map_or_else(|| "an unknown part".to_owned(), |value| format!("{value:.2}"))
}
