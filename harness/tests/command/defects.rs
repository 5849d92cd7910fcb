//! What a planted defect must state about itself.

use std::collections::BTreeSet;

use firedrill::scenario::{Override, parse};
use firedrill::selftest::source;
use firedrill::targets::Defect;
use firedrill::targets::defect::{Drilled, End};

fn defects() -> Vec<Defect> {
    Defect::names().into_iter().filter_map(Defect::find).collect()
}

/// What a checker's name is preceded by where a defect says what catches it.
fn checker(by: &str) -> Option<&str> {
    by.strip_prefix("checks.")
}

#[test]
fn each_has_a_name_of_its_own_and_says_where_it_was_seen() {
    let names: BTreeSet<&str> = Defect::names().into_iter().collect();
    assert_eq!(names.len(), defects().len(), "two have the same name");
    for defect in defects() {
        assert!(!defect.source.is_empty(), "{defect}");
        assert!((1..=4).contains(&defect.drills.len()), "{defect}: {} drills", defect.drills.len());
    }
}

/// The checkers, the gates' keys and the metrics that are limited without a gate, of the scenario as `drilled` has it, with
/// the defect planted.
fn judges(defect: Defect, drilled: &Drilled) -> BTreeSet<String> {
    let source =
        source(drilled.scenario).unwrap_or_else(|| panic!("{defect}: there is no scenario {}", drilled.scenario));
    let changes = drilled.changes.iter().map(|change| (*change).to_owned());
    let changes: Vec<Override> =
        changes.chain([format!("store.defect={defect}")]).map(|change| change.parse().unwrap()).collect();
    let scenario = parse(&source, &changes).unwrap_or_else(|error| panic!("{defect} in {}: {error}", drilled.scenario));
    let checkers = firedrill::check::all().iter().map(|checker| checker.facts());
    let checkers = checkers.filter(|facts| !facts.on_request || scenario.checks.contains_key(facts.name));
    let gates = scenario.gates.iter().map(|gate| gate.key.clone());
    let limited = firedrill::drill::limited().map(str::to_owned);
    // It looks at what the drill leaves behind, so it is no checker of histories.
    let secrets = ["checks.secrets".to_owned()];
    checkers.map(|facts| format!("checks.{}", facts.name)).chain(gates).chain(limited).chain(secrets).collect()
}

#[test]
fn what_must_catch_it_is_in_the_drill() {
    for defect in defects() {
        for drilled in defect.drills {
            let judges = judges(defect, drilled);
            for by in drilled.end.by() {
                assert!(judges.contains(*by), "{defect} in {}: nothing is called {by}: {judges:?}", drilled.scenario);
            }
            let escapes = matches!(drilled.end, End::Escapes(reason) if !reason.is_empty());
            assert!(escapes || !drilled.end.by().is_empty(), "{defect} in {}", drilled.scenario);
        }
    }
}

/// Checkers without a defect of a drill that they alone catch, and why.
const WITHOUT: [(&str, &str); 3] = [
    (
        "counter",
        "the reference store has no counters: `own_app` plants the defect in an application, and it alone catches it",
    ),
    ("read-your-writes", "a write acknowledged too early is also lost to the end of the load"),
    ("linearizable", "two copies that are read in turn also go back"),
];

#[test]
fn every_checker_has_a_defect_that_it_alone_catches_in_a_drill() {
    let alone: BTreeSet<&str> = defects()
        .iter()
        .flat_map(|defect| defect.drills)
        .filter_map(|drilled| match drilled.end {
            End::CaughtAlone([by]) => checker(by),
            _ => None,
        })
        .collect();
    let without: BTreeSet<&str> = firedrill::check::all()
        .iter()
        .map(|checker| checker.facts().name)
        .filter(|name| !alone.contains(name))
        .collect();
    assert_eq!(without, BTreeSet::from(WITHOUT.map(|(name, _)| name)));
}
