//! What a search is to find out.

use std::time::Duration;

use firedrill_capacity::Settings;

use super::objective::Slo;
use super::soak::SoakQuestion;

/// What to find out.
#[derive(Debug, Clone)]
pub struct Question {
    /// The objectives; without any, no rate is searched for.
    pub objectives: Vec<Slo>,
    /// The load on the target may last this long, all steps together.
    pub budget: Duration,
    /// The half-width of the interval at which the search ends, as a share of the knee.
    pub width: f64,
    /// The first rate of the climb, operations per second.
    pub start: f64,
    /// Whether the first limit is to be confirmed by an intervention.
    pub confirm: bool,
    /// The load to soak with after the search.
    pub soak: Option<SoakQuestion>,
    /// The command that repeats the search.
    pub replay: String,
}

/// The half-width of the interval that tells half of a knee from all of it.
const CONFIRMED_WIDTH: f64 = 0.1;

impl Question {
    /// The question for the knee with half of the suspect, from the rate `start` on.
    pub(super) fn halved(&self, start: f64) -> Self {
        Self { start, width: self.width.max(CONFIRMED_WIDTH), confirm: false, soak: None, ..self.clone() }
    }

    /// For the search.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            budget_seconds: self.budget.as_secs().try_into().unwrap_or(u32::MAX),
            width: self.width,
            start: self.start,
            ..Settings::of(self.objectives.iter().map(Slo::objective).collect())
        }
    }

    /// The slowest response time that an objective allows; zero if all are about errors.
    pub(super) fn slowest(&self) -> Duration {
        self.objectives.iter().map(Slo::slowest).max().unwrap_or_default()
    }
}
