//! `--check`: how an answer relates to an earlier one.

use firedrill_reports::capacity::{Capacity, Change};
use firedrill_reports::text;

use crate::capacity::Slo;
use crate::cli::exit::{Failure, Status};
use crate::cli::out;
use crate::drill::Planned;

/// Whether an earlier answer is one to the same question.
pub fn comparable(earlier: &Capacity, objectives: &[Slo], planned: &Planned) -> Result<(), Failure> {
    let scenario = &planned.plan().scenario;
    let named = |capacity: &Capacity| -> Vec<String> {
        let mut texts: Vec<String> = capacity.objectives.iter().map(|objective| objective.text.clone()).collect();
        texts.sort();
        texts
    };
    let mut asked: Vec<String> = objectives.iter().map(|slo| slo.text().to_owned()).collect();
    asked.sort();
    let differs = [
        ("scenario", earlier.scenario.clone(), scenario.name.clone()),
        ("target", earlier.target.clone(), scenario.target.kind.name().to_owned()),
        ("objectives", named(earlier).join(", "), asked.join(", ")),
    ];
    match differs.iter().find(|(_, then, now)| then != now) {
        None => Ok(()),
        Some((what, then, now)) => {
            Err(Failure::Usage(format!("--check: the earlier answer is for other {what}: {then}, now {now}")))
        }
    }
}

/// Says how the answer relates to an earlier one.
pub fn check(capacity: &Capacity, earlier: &Capacity) -> Status {
    let range = |of: &Capacity| match of.knee.range() {
        Some((low, high)) if high.is_finite() => format!("{} to {}", text::rate(low), text::rate(high)),
        Some((low, _)) => format!("at least {}", text::rate(low)),
        None => "no answer".to_owned(),
    };
    let (now, then) = (range(capacity), range(earlier));
    let (words, status) = match capacity.changed_since(earlier) {
        Some(Change::None) => ("no difference is shown: the intervals overlap", Status::Passed),
        Some(Change::Lower) => ("lower than before", Status::Regressed),
        Some(Change::Higher) => ("higher than before", Status::Regressed),
        None => ("nothing to compare", Status::Inconclusive),
    };
    out::line(format_args!("check   {words}\n        now {now}, then {then}"));
    status
}
