//! The promises of docs/run-json.md.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common;

const PAGE: &str = include_str!("../../../docs/run-json.md");

pub fn fields(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, field) in object {
                into.insert(name.clone());
                fields(field, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_field_of_the_record_is_described() {
    let mut written = BTreeSet::new();
    for run in [common::passed(), common::failed(), common::interrupted()] {
        fields(&serde_json::to_value(&run).unwrap(), &mut written);
    }
    assert!(written.len() > 80, "the samples should use every field: {}", written.len());
    let missing: Vec<_> = written.iter().filter(|name| !PAGE.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/run-json.md does not describe {missing:?}");
}

#[test]
fn every_field_that_is_described_by_a_table_is_written() {
    let mut written = BTreeSet::new();
    for run in [common::passed(), common::failed(), common::interrupted()] {
        fields(&serde_json::to_value(&run).unwrap(), &mut written);
    }
    for row in PAGE.lines().filter(|line| line.starts_with("| `")) {
        let names = row.split('|').nth(1).unwrap();
        for name in names.split(',').map(|name| name.trim().trim_matches('`')) {
            assert!(written.contains(name), "{name} is described and never written");
        }
    }
}

#[test]
fn the_version_on_the_page_is_the_one_that_is_written() {
    assert!(PAGE.contains(&format!("`format_version` is {}.", firedrill_reports::run::FORMAT_VERSION)));
}

#[test]
fn verdicts_and_units_are_written_as_the_page_names_them() {
    let run = serde_json::to_value(common::failed()).unwrap();
    assert_eq!(run["verdict"], "failed");
    assert_eq!(run["gates"][0]["unit"], "share");
    assert_eq!(run["gates"][1]["unit"], "milliseconds");
    assert_eq!(run["gates"][1]["verdict"], "unknown");
    assert_eq!(run["gates"][1].get("actual"), None);
    assert_eq!(run["checks"][0]["verdict"], "invalid");
    assert_eq!(run["phases"][1]["name"], "during");
    assert_eq!(run["errors"][0]["outcome"], "degraded");
    assert_eq!(run["recovery_ms"], 863.0);
}
