//! Every planted defect in the drills that must catch it, as its own file in `harness/src/targets/defect` says, and the sound
//! store in the same drills. A pair that another row drills, with a closer look, is not drilled again.

use std::collections::BTreeSet;

use firedrill::scenario::shipped_named;
use firedrill::targets::Defect;
use firedrill::targets::defect::{Drilled, End};

use super::row::{Failure, Row, own, shipped};

/// A row for each scenario and changes to it.
pub fn rows(others: &[&Row]) -> Vec<Row> {
    let known: BTreeSet<(&str, &str)> = others.iter().flat_map(|row| row.plants()).collect();
    let mut rows: Vec<(&Drilled, Row)> = Vec::new();
    for name in Defect::names() {
        let drills = Defect::find(name).expect("it is registered").drills;
        for drilled in drills.iter().filter(|drilled| !known.contains(&(drilled.scenario, name))) {
            let place = rows.iter().position(|(other, _)| same(other, drilled));
            let (setting, row) = place.map_or_else(|| (drilled, sound(drilled)), |place| rows.swap_remove(place));
            rows.push((setting, planted(row, name, drilled)));
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

fn same(one: &Drilled, other: &Drilled) -> bool {
    one.scenario == other.scenario && one.changes == other.changes
}

/// The sound store, which passes. Shipped scenarios have a row of their own for it.
fn sound(drilled: &Drilled) -> Row {
    let is_shipped = shipped_named(drilled.scenario).is_ok();
    let row = if is_shipped { shipped(drilled.scenario) } else { text(drilled.scenario) }.only_changed();
    match is_shipped && drilled.changes.is_empty() {
        true => row,
        false => row.passes(&[&["sound"], drilled.changes].concat().join(", "), drilled.changes),
    }
}

/// One of the self-test's own scenarios.
pub fn text(name: &'static str) -> Row {
    own(name, firedrill::selftest::source(name).unwrap_or_else(|| panic!("no scenario {name}")).text.leak())
}

fn planted(row: Row, name: &str, drilled: &Drilled) -> Row {
    let plant: &str = format!("store.defect={name}").leak();
    let changes = [drilled.changes, &[plant]].concat();
    let failures: Vec<Failure> = drilled.end.by().iter().map(|by| failure(by)).collect();
    match drilled.end {
        End::Caught(_) => row.fails(name, &changes, &failures),
        End::CaughtAlone(_) => row.fails_only(name, &changes, &failures),
        End::Escapes(_) => row.passes(name, &changes),
    }
}

fn failure(by: &'static str) -> Failure {
    by.strip_prefix("checks.").map_or(Failure::Gate(by), Failure::Check)
}
