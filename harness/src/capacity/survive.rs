//! The highest rate at which the scenario's own drill still passes, faults and all.

use std::path::Path;
use std::sync::Arc;

use firedrill_capacity::{Outcome, Survivable as Known, Survival, SurvivalSettings};
use firedrill_reports::capacity::{Drilled, Survivable, SurvivableAnswer};
use firedrill_reports::run::Verdict;
use firedrill_reports::text;
use tokio_util::sync::CancellationToken;

use super::watcher::Watcher;
use crate::drill::{Drill, DrillError};
use crate::scenario::{LoadSpec, Scenario};
use crate::units::Rate;

/// What to find out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurvivalQuestion {
    /// No drill is faster, operations per second.
    pub highest: f64,
    /// The bounds of the answer are to lie within this ratio.
    pub ratio: f64,
    /// The drills that it may take.
    pub drills: usize,
}

/// The scenario's own mean rate, operations per second; each of its loads is scaled by the same factor.
///
/// # Errors
/// [`DrillError::Unfit`] for loads without a rate and for a scenario that judges nothing.
pub fn own_rate(scenario: &Scenario) -> Result<f64, DrillError> {
    let unfit = |what: &str, cure: &str| Err(DrillError::Unfit(what.to_owned(), cure.to_owned()));
    if scenario.fault.is_empty() {
        return unfit(
            "--survive asks what survives the scenario's faults, and it has none",
            "choose one with a [[fault]]",
        );
    }
    if scenario.load.iter().any(|load| load.users.is_some()) {
        return unfit("--survive scales rates, and a load with users has none", "give every [[load]] a rate");
    }
    let sent: f64 = scenario.load.iter().map(operations).sum();
    let ends = scenario.load.iter().map(|load| load.at.0 + length(load)).max().unwrap_or_default().as_secs_f64();
    match sent > 0.0 && ends > 0.0 {
        true => Ok(sent / ends),
        false => unfit("the scenario's load sends nothing", "give at least one [[load]] a rate"),
    }
}

fn length(load: &LoadSpec) -> std::time::Duration {
    let stages = load.stages.iter().map(|stage| stage.length.0).sum();
    load.length.map_or(stages, |length| length.0)
}

/// Operations that a load sends.
fn operations(load: &LoadSpec) -> f64 {
    if let Some(rate) = load.rate {
        return rate.0 * length(load).as_secs_f64();
    }
    let mut before = 0.0;
    let each = load.stages.iter().map(|stage| {
        let from = if stage.ramp { before } else { stage.rate.0 };
        before = stage.rate.0;
        (from + stage.rate.0) / 2.0 * stage.length.0.as_secs_f64()
    });
    each.sum()
}

/// The changes that multiply every rate of `scenario` by `factor`, as paths and values of `--set`.
fn scaled(scenario: &Scenario, factor: f64) -> Vec<(String, Rate)> {
    // A rate is written in full: three digits would make the steps uneven.
    let times = |rate: Rate| Rate((rate.0 * factor * 1e3).round().max(1.0) / 1e3);
    let mut changes = Vec::new();
    for (number, load) in scenario.load.iter().enumerate() {
        changes.extend(load.rate.map(|rate| (format!("load.{number}.rate"), times(rate))));
        let stages = load.stages.iter().enumerate();
        changes.extend(stages.map(|(at, stage)| (format!("load.{number}.stages.{at}.rate"), times(stage.rate))));
    }
    changes
}

/// Runs `drill` at one rate after another until the bounds of the highest rate that passes are known. `scenario` is the drill's;
/// each drill leaves its record in a numbered folder in `dir`.
///
/// # Errors
/// What keeps a drill from running, and [`own_rate`]'s.
pub async fn survivable(
    drill: &Drill,
    scenario: &Scenario,
    question: SurvivalQuestion,
    dir: &Path,
    stop: &CancellationToken,
    watcher: Arc<dyn Watcher>,
) -> Result<Survivable, DrillError> {
    let own = own_rate(scenario)?;
    let SurvivalQuestion { highest, ratio, drills } = question;
    let mut search = Survival::new(SurvivalSettings { start: own, highest, ratio, drills });
    let mut drilled: Vec<Drilled> = Vec::new();
    while let Some(rate) = search.next_rate() {
        watcher.now(&format!("survivable rate: drilling at {}", text::rate(rate)));
        let changes = scaled(scenario, rate / own);
        let numbered = drill.clone().out(dir.join(format!("{:02}", drilled.len() + 1)));
        let changed = changes.iter().fold(numbered, |drill, (path, rate)| drill.set(path, format!("\"{rate}\"")));
        // A drill that Redis or the machine ended early tells as little as one whose fault did not bite.
        let (verdict, reasons, folder) = match changed.run().await {
            Ok(report) => (report.run.verdict, report.run.reasons, report.dir.display().to_string()),
            Err(error) if error.is_inconclusive() => (Verdict::Inconclusive, vec![error.to_string()], String::new()),
            Err(error) => return Err(error),
        };
        let outcome = match verdict {
            Verdict::Passed => Outcome::Passed,
            Verdict::Failed => Outcome::Failed,
            Verdict::Inconclusive => Outcome::Inconclusive,
            Verdict::Interrupted => break,
        };
        let why = reasons.first().cloned().unwrap_or_default();
        let what = if why.is_empty() { String::new() } else { format!("  ({why})") };
        watcher.line(&format!("{:>9}  drill  {}{what}", text::rate(rate), verdict.name()));
        drilled.push(Drilled { rate, verdict, reasons, folder });
        search.tell(rate, outcome);
        if stop.is_cancelled() {
            break;
        }
    }
    let answer = match search.answer() {
        Known::Between(rate, below) => SurvivableAnswer::Between { rate, below, doubtful: search.is_doubtful() },
        Known::AtLeast(rate) => SurvivableAnswer::AtLeast { rate },
        Known::Below(rate) => SurvivableAnswer::Below { rate },
        Known::Unknown => SurvivableAnswer::Unknown,
    };
    let faults = scenario.fault.iter().map(|fault| fault.kind.name().to_owned()).collect();
    Ok(Survivable { answer, own_rate: own, faults, drills: drilled })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Source, parse};

    fn scenario(load: &str) -> Scenario {
        let fault = "[[fault]]\nkind = \"proxy.down\"\nat = \"1s\"\nfor = \"1s\"\n";
        let text = format!("name = \"x\"\nabout = \"y\"\n{load}{fault}");
        parse(&Source { name: "x.toml".to_owned(), text }, &[]).unwrap()
    }

    #[test]
    fn every_rate_of_the_load_is_scaled_alike() {
        let of = scenario(
            "[[load]]\nrate = \"100/s\"\nfor = \"4s\"\n\
             [[load]]\nstages = [{ rate = \"20/s\", for = \"2s\", ramp = true }, { rate = \"40/s\", for = \"2s\" }]\n",
        );
        assert_eq!(own_rate(&of).unwrap(), 125.0, "400, 20 and 80 operations in 4 s");
        let changes: Vec<String> = scaled(&of, 2.5).iter().map(|(path, rate)| format!("{path}={rate}")).collect();
        assert_eq!(changes, ["load.0.rate=250/s", "load.1.stages.0.rate=50/s", "load.1.stages.1.rate=100/s"]);
    }

    #[test]
    fn a_scenario_without_faults_or_with_users_is_refused() {
        let users = scenario("[[load]]\nusers = 3\nfor = \"4s\"\n");
        assert!(own_rate(&users).unwrap_err().to_string().contains("give every [[load]] a rate"));
        let healthy = Scenario { fault: Vec::new(), ..users };
        assert!(own_rate(&healthy).unwrap_err().to_string().contains("choose one with a [[fault]]"));
    }
}
