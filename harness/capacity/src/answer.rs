//! What a search found.

use super::verdict::Doubt;

/// The answer of a search. Rates are in requests per second.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The generator's own ceiling: the highest rate at which a target that answers at once met the objectives.
    pub ceiling: Option<f64>,
    /// The knee.
    pub knee: Knee,
    /// Whether the search ended because it was told to, or because its time was used up, before the interval was narrow
    /// enough.
    pub cut_short: bool,
}

/// The highest rate at which the objectives hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Knee {
    /// A rate with its 90 % interval.
    At {
        /// The median.
        rate: f64,
        /// The knee is lower with a probability of 5 %.
        low: f64,
        /// The knee is higher with a probability of 5 %.
        high: f64,
    },
    /// The objectives held at this rate, and no higher one says anything about the target: the generator's own ceiling is
    /// too close, or it was the generator that gave way.
    AtLeast {
        /// The rate.
        rate: f64,
    },
    /// The objectives did not hold even at this rate, the lowest one tried.
    Below {
        /// The rate.
        rate: f64,
    },
    /// No answer.
    Unknown(Unknown),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unknown {
    /// The search was stopped before a step failed.
    Stopped {
        /// The highest rate that passed so far.
        passed: Option<f64>,
    },
    /// Wherever the target keeps up, a step has too few requests to tell this objective.
    TooFew {
        /// Its position.
        objective: usize,
        /// The requests that it takes at least.
        needed: u64,
    },
    /// Steps below any that passed could not be trusted.
    Distrusted(Doubt),
    /// The generator does not even meet the objectives on a target that answers at once.
    NoCeiling,
}
