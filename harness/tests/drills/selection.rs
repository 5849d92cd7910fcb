//! Which of the shipped scenarios run.

use std::str::FromStr;

use firedrill::scenario::{Shipped, parse, shipped};
use libtest_mimic::Trial;

use super::row::Row;

/// The variable that selects them.
const VARIABLE: &str = "FIREDRILL_TEST_SCENARIOS";

/// Additional scenarios; those with the tag `ci` always run.
#[derive(Debug, PartialEq, Eq)]
pub enum Selection {
    /// None.
    Ci,
    /// All.
    All,
    /// Every `of`th scenario, starting with number `part`, which counts from 0.
    Share { part: usize, of: usize },
}

impl Selection {
    pub fn from_env() -> Self {
        std::env::var(VARIABLE).map_or(Self::Ci, |text| text.parse().unwrap_or_else(|error| panic!("{error}")))
    }

    /// The tests of these rows; tests that are not selected are ignored.
    pub fn of(&self, rows: Vec<Row>) -> Vec<Trial> {
        let ci = tagged_ci();
        let mut others = 0;
        let mut trials = Vec::new();
        for row in rows {
            let selected = ci.contains(&row.name()) || {
                others += 1;
                self.takes(others - 1)
            };
            trials.extend(row.trials().into_iter().map(|trial| trial.with_ignored_flag(!selected)));
        }
        trials
    }

    fn takes(&self, number: usize) -> bool {
        match self {
            Self::Ci => false,
            Self::All => true,
            Self::Share { part, of } => number % of == *part,
        }
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = || {
            let (part, of) = text.split_once('/')?;
            let (part, of) = (part.parse::<usize>().ok()?.checked_sub(1)?, of.parse().ok()?);
            (part < of).then_some(Self::Share { part, of })
        };
        match text {
            "ci" => Ok(Self::Ci),
            "all" => Ok(Self::All),
            _ => share().ok_or_else(|| format!("{VARIABLE}={text} is neither ci, all nor a share such as 3/8")),
        }
    }
}

fn tagged_ci() -> Vec<&'static str> {
    let is_ci = |shipped: &Shipped| parse(&shipped.source(), &[]).unwrap().tags.iter().any(|tag| tag == "ci");
    shipped().iter().filter(|shipped| is_ci(shipped)).map(|shipped| shipped.name).collect()
}
