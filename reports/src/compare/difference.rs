//! What differs between two runs besides their figures, and whether their figures can be compared at all.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use super::model::Difference;
use crate::run::{Run, Verdict};

/// Keys of a scenario that make the plan: what is sent, what is broken, and what counts as steady again.
const PLAN: [&str; 6] = ["load", "fault", "deploy", "steady", "sessions_per_user", "lab.topology"];

/// Keys of a scenario that change nothing of what happens. Gates and checks are compared on their own.
const ASIDE: [&str; 8] = ["name", "about", "tags", "seed", "gates", "checks", "claims", "situations"];

/// Lines about the environment that say how fast the machine is.
const MACHINE: [&str; 2] = ["processor", "in a container of"];

/// Lines about the environment that differ from run to run, or repeat the scenario.
const INCIDENTAL: [&str; 4] = ["data in", "redis at", "host", "command line"];

/// The differences of two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// Why their figures cannot be compared.
    pub(super) refused: Vec<String>,
    /// Why figures that depend on the machine cannot; empty if they can.
    pub(super) machine: String,
    /// Everything that differs.
    pub(super) all: Vec<Difference>,
}

/// The differences of `now` from `before`.
pub(super) fn differences(before: &Run, now: &Run) -> Differences {
    let mut found = Differences::default();
    if before.scenario.name != now.scenario.name {
        let (one, other) = (&before.scenario.name, &now.scenario.name);
        found.refused.push(format!("other scenario: the baseline is of {one}, the run of {other}"));
    }
    for (run, which) in [(before, "the baseline"), (now, "the run")] {
        if matches!(run.verdict, Verdict::Inconclusive | Verdict::Interrupted) {
            let why = run.reasons.first().map_or(String::new(), |reason| format!(": {reason}"));
            found.refused.push(format!("{which} was {}{why}", run.verdict.name()));
        }
    }
    if before.format_version != now.format_version {
        let (one, other) = (before.format_version, now.format_version);
        found.refused.push(format!("the baseline's run.json has format version {one}, the run's {other}"));
    }
    for difference in changed(&settings(before), &settings(now)) {
        if under(&difference.what, &ASIDE) {
            continue;
        }
        if under(&difference.what, &PLAN) && before.scenario.name == now.scenario.name {
            found.refused.push(format!("other {}", said(&difference)));
        }
        found.all.push(difference);
    }
    for difference in changed(&environment(before), &environment(now)) {
        if MACHINE.contains(&difference.what.as_str()) {
            found.machine = format!("other machine: {}", said(&difference));
        }
        found.all.push(difference);
    }
    found
}

/// A difference in words.
pub(super) fn said(difference: &Difference) -> String {
    let shown = |value: &str| if value.is_empty() { "nothing".to_owned() } else { value.to_owned() };
    format!("{}: {} → {}", difference.what, shown(&difference.before), shown(&difference.now))
}

/// Whether a key is one of `keys` or below it.
fn under(key: &str, keys: &[&str]) -> bool {
    keys.iter().any(|one| key.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn changed(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Difference> {
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let value = |side: &BTreeMap<String, String>, key: &String| side.get(key).cloned().unwrap_or_default();
    let difference = |key: &String| Difference { what: key.clone(), before: value(before, key), now: value(now, key) };
    keys.into_iter().map(difference).filter(|one| one.before != one.now).collect()
}

fn environment(run: &Run) -> BTreeMap<String, String> {
    let facts = run.environment.iter().filter(|fact| !INCIDENTAL.contains(&fact.key.as_str()));
    let mut all: BTreeMap<String, String> = facts.map(|fact| (fact.key.clone(), fact.value.clone())).collect();
    all.insert("firedrill".to_owned(), run.firedrill_version.clone());
    all
}

/// The scenario's settings by their path: `load.0.rate`. A text that is no TOML is one setting.
fn settings(run: &Run) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    match run.config.parse::<toml::Table>() {
        Ok(table) => table.iter().for_each(|(key, value)| flatten(key.clone(), value, &mut all)),
        Err(_) => {
            all.insert("config".to_owned(), run.config.clone());
        }
    }
    all
}

fn flatten(path: String, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| flatten(format!("{path}.{key}"), value, all)),
        Value::Array(items) if items.iter().any(Value::is_table) => {
            items.iter().enumerate().for_each(|(at, value)| flatten(format!("{path}.{at}"), value, all));
        }
        Value::String(text) => drop(all.insert(path, text.clone())),
        other => drop(all.insert(path, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Scenario;

    fn run(config: &str) -> Run {
        let scenario = Scenario { name: "outage".to_owned(), ..Scenario::default() };
        let mut run = Run { verdict: Verdict::Passed, config: config.to_owned(), scenario, ..Run::default() };
        run.fact("redis", "7.4.0");
        run.fact("processor", "EPYC (2 cores)");
        run.fact("data in", "/tmp/a");
        run
    }

    const CONFIG: &str =
        "seed = 1\n[store]\npolicy = \"drain\"\n[[load]]\nrate = \"300/s\"\n[gates]\nrecovery = \"<= 3s\"\n";

    #[test]
    fn another_seed_other_gates_and_another_folder_are_no_difference() {
        let mut other = run(&CONFIG.replace("seed = 1", "seed = 2").replace("3s", "1s"));
        other.environment[2].value = "/tmp/b".to_owned();
        assert_eq!(differences(&run(CONFIG), &other), Differences::default());
    }

    #[test]
    fn another_load_cannot_be_compared_and_says_which() {
        let found = differences(&run(CONFIG), &run(&CONFIG.replace("300", "500")));
        assert_eq!(found.refused, ["other load.0.rate: 300/s → 500/s"]);
        let found = differences(&run(CONFIG), &run(&format!("{CONFIG}[[fault]]\nkind = \"proxy.down\"\n")));
        assert_eq!(found.refused, ["other fault.0.kind: nothing → proxy.down"]);
    }

    #[test]
    fn another_policy_and_another_redis_are_said_and_compared() {
        let mut other = run(&CONFIG.replace("drain", "degrade"));
        other.environment[0].value = "8.0.1".to_owned();
        let found = differences(&run(CONFIG), &other);
        assert!(found.refused.is_empty() && found.machine.is_empty(), "{found:?}");
        let says: Vec<String> = found.all.iter().map(said).collect();
        assert_eq!(says, ["store.policy: drain → degrade", "redis: 7.4.0 → 8.0.1"]);
    }

    #[test]
    fn another_machine_refuses_times_only() {
        let mut other = run(CONFIG);
        other.environment[1].value = "EPYC (8 cores)".to_owned();
        let found = differences(&run(CONFIG), &other);
        assert_eq!(found.machine, "other machine: processor: EPYC (2 cores) → EPYC (8 cores)");
        assert!(found.refused.is_empty());
    }

    #[test]
    fn what_proves_nothing_is_no_baseline() {
        let stopped = Run { verdict: Verdict::Interrupted, reasons: vec!["SIGINT".to_owned()], ..run(CONFIG) };
        assert_eq!(differences(&stopped, &run(CONFIG)).refused, ["the baseline was interrupted: SIGINT"]);
        let mut other = run(CONFIG);
        other.scenario.name = "calm".to_owned();
        assert_eq!(
            differences(&run(CONFIG), &other).refused,
            ["other scenario: the baseline is of outage, the run of calm"]
        );
    }
}
