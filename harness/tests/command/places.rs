//! A registered thing is known in one place: no other file of the harness contains its name. A scenario, a page in
//! docs/ and a test may name it; code asks the registry. So adding one touches only its file and its registry line, and
//! removing it leaves nothing behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::circles::tree::Crate;

/// Files that name a registered thing although they should ask the registry. The list may only become shorter.
const EXCEPTIONS: &[(&str, &str)] = &[
    // The application's process is a process.
    ("app.kill", "fault/process/target.rs"),
    // The flag of the same name.
    ("ttl", "cli/args.rs"),
    // Prometheus' name for a kind of metric.
    ("counter", "watch/metrics.rs"),
];

#[test]
fn a_registered_name_is_in_its_own_file_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let literals = Crate::read(&root).literals;
    let files_with = |name: &str| -> BTreeSet<&PathBuf> {
        let quoted = format!("\"{name}\"");
        literals.iter().filter(|(_, literal)| *literal == quoted).map(|(file, _)| file).collect()
    };
    let (mut found, mut excepted) = (Vec::new(), BTreeSet::<&(&str, &str)>::new());
    for name in names() {
        let mut files = files_with(name);
        files.retain(|file| {
            let exception = EXCEPTIONS.iter().find(|(what, place)| *what == name && file.as_path() == Path::new(place));
            excepted.extend(exception);
            exception.is_none()
        });
        if files.len() != 1 {
            found.push(format!("{name}: {files:?}"));
        }
    }
    assert!(found.is_empty(), "not known in one file alone:\n{}", found.join("\n"));
    let spent: Vec<_> = EXCEPTIONS.iter().filter(|exception| !excepted.contains(exception)).collect();
    assert!(spent.is_empty(), "not needed any more, so take them out of EXCEPTIONS: {spent:?}");
}

/// Fault kinds, checkers and planted defects. The names of topologies, targets and metrics are everyday words that
/// other things have too.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = firedrill::fault::kinds().iter().map(|kind| kind.name).collect();
    assert!(names.len() >= 30, "{names:?}");
    names.extend(firedrill::check::all().iter().map(|checker| checker.facts().name));
    names.extend(firedrill::targets::Defect::names());
    names
}
