//! What a search is for, and how far it goes.

/// An objective: at most this share of the requests that it counts may exceed it. `p99 <= 5ms` allows a share of 0.01
/// slower than 5 ms; `errors <= 0.1%` allows a share of 0.001 that fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// As the user wrote it.
    pub name: String,
    /// The largest share that may exceed it, above 0 and below 1.
    pub allowed: f64,
}

/// The settings of a search. Rates are in requests per second, times in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// All of these must hold.
    pub objectives: Vec<Objective>,
    /// The rate of the first step.
    pub start: f64,
    /// The lowest rate worth asking for.
    pub lowest: f64,
    /// The highest rate to ask the generator for.
    pub highest: f64,
    /// The rate of the first step on the target that answers at once.
    pub ceiling_start: f64,
    /// The length of a step on the target that answers at once.
    pub ceiling_seconds: u32,
    /// A knee above this share of the generator's ceiling is not told from the generator's own.
    pub ceiling_share: f64,
    /// The length of a step before it is extended.
    pub step_seconds: u32,
    /// The longest that a step becomes by extensions; each doubles it.
    pub longest_seconds: u32,
    /// The load that may be spent on the target. Once it is used up, the search ends as soon as a step has passed and one has
    /// failed.
    pub budget_seconds: u32,
    /// The half-width of the 90 % interval, as a share of the knee, at which the search ends.
    pub width: f64,
}

impl Settings {
    /// The defaults for these objectives: steps of 4 s, at most 16 s each and 180 s together; ±5 %.
    pub fn of(objectives: Vec<Objective>) -> Self {
        Self {
            objectives,
            start: 1_000.0,
            lowest: 1.0,
            highest: 1_000_000.0,
            ceiling_start: 16_000.0,
            ceiling_seconds: 2,
            ceiling_share: 0.7,
            step_seconds: 4,
            longest_seconds: 16,
            budget_seconds: 180,
            width: 0.05,
        }
    }
}
