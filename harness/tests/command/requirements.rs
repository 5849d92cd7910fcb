//! The table of the reference systems' requirements names a proof for each code, and every proof exists.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn guide() -> String {
    fs::read_to_string(root().join("docs/requirements.md")).unwrap()
}

/// Expands `suite/x.rs` and `harness/drills/x.rs`, the guide's abbreviations.
fn file(named: &str) -> PathBuf {
    match named.split_once('/') {
        Some(("suite", rest)) => root().join("storage/tests/suite").join(rest),
        Some(("harness", rest)) if !rest.starts_with("tests/") => root().join("harness/tests").join(rest),
        _ => root().join(named),
    }
}

/// Every text between two marks.
fn between<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(mark).skip(1).step_by(2)
}

/// A row's columns, without the empty ones at both ends.
fn columns(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn every_code_has_one_row_with_a_proof() {
    let guide = guide();
    for (system, last) in [("T", 15), ("C", 8), ("S", 6), ("R", 9)] {
        for number in 1..=last {
            let start = format!("| {system}{number} |");
            let rows: Vec<&str> = guide.lines().filter(|line| line.starts_with(&start)).collect();
            assert_eq!(rows.len(), 1, "{system}{number}");
            let columns = columns(rows[0]);
            assert_eq!(columns.len(), 4, "{}", rows[0]);
            let proof = columns[3];
            assert!(proof.contains(".rs") || proof.contains("**"), "{system}{number} has no proof: {proof}");
        }
    }
}

#[test]
fn every_test_that_it_names_exists() {
    let guide = guide();
    let named: Vec<&str> = between(&guide, "`").filter(|word| word.contains(".rs") && word.contains('/')).collect();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        let (path, test) = name.split_once("::").unwrap_or((name, ""));
        let path = if path.starts_with("storage/") || path.starts_with("harness/tests") || file(path).exists() {
            file(path)
        } else {
            root().join("storage/src").join(path)
        };
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {}: {error}", path.display()));
        // Tests of whole drills are rows of a table, with their names as strings.
        let there = source.contains(&format!("fn {test}")) || source.contains(&format!("\"{test}\""));
        assert!(there, "{name} does not exist");
    }
}

#[test]
fn every_scenario_that_it_names_is_shipped() {
    let guide = guide();
    let tables = guide.lines().filter(|line| line.starts_with("| ")).collect::<Vec<_>>().join("\n");
    let named: Vec<&str> = between(&tables, "**").collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(root().join("scenarios").join(name).with_extension("toml").exists(), "no scenario {name}");
    }
}

#[test]
fn every_switch_that_it_names_is_known() {
    let guide = guide();
    let schema = serde_json::to_string(&firedrill::scenario::schema()).unwrap();
    let named: Vec<&str> = between(&guide, "`").filter_map(|word| word.strip_prefix("store.defect = ")).collect();
    assert!(named.len() > 5, "{named:?}");
    for name in named {
        assert!(schema.contains(name), "the scenarios' schema does not know the defect {name}");
    }
}
