//! `firedrill runs` on saved runs, without a drill.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use firedrill_reports::Run;
use firedrill_reports::run::{Scenario, Verdict};

use crate::support::firedrill;

/// Saves a run, and returns its folder.
fn saved(root: &Path, folder: &str, scenario: &str, verdict: Verdict, started_at: &str) -> PathBuf {
    let mut run = Run {
        scenario: Scenario { name: scenario.to_owned(), ..Scenario::default() },
        verdict,
        started_at: started_at.to_owned(),
        seed: 7,
        ..Run::default()
    };
    if verdict != Verdict::Passed {
        run.reasons.push("3 of 3 acknowledged writes are lost".to_owned());
    }
    run.file("history.fdh", "every operation");
    let path = root.join(folder);
    run.save(&path).unwrap();
    fs::write(path.join("history.fdh"), "history").unwrap();
    path
}

/// Three runs, a damaged one, and a link to a run elsewhere.
fn library(root: &Path, elsewhere: &Path) {
    saved(root, "a/redis-outage", "redis-outage", Verdict::Passed, "2026-01-01T10:00:00.000Z");
    saved(root, "a/ttl-expiry", "ttl-expiry", Verdict::Failed, "2026-01-01T10:01:00.000Z");
    saved(root, "b/redis-outage", "redis-outage", Verdict::Failed, "2026-02-01T10:00:00.000Z");
    fs::create_dir(root.join("damaged")).unwrap();
    fs::write(root.join("damaged/run.json"), "{ \"format_version\": 2").unwrap();
    symlink(saved(elsewhere, "x", "redis-outage", Verdict::Passed, "2026-01-01T10:00:00.000Z"), root.join("link"))
        .unwrap();
}

fn output(root: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = firedrill().arg("runs").arg(root).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn json(root: &Path, arguments: &[&str]) -> Vec<serde_json::Value> {
    let (status, stdout, stderr) = output(root, &[&["--json"], arguments].concat());
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The last part of each path, of the lines that have `key`.
fn folders(root: &Path, lines: &[serde_json::Value], key: &str) -> Vec<String> {
    let lines = lines.iter().filter(|line| line.get(key).is_some());
    let path =
        |line: &serde_json::Value| Path::new(line["path"].as_str().unwrap()).strip_prefix(root).unwrap().to_owned();
    lines.map(|line| path(line).display().to_string()).collect()
}

#[test]
fn runs_are_listed_from_the_newest_and_by_scenario_and_verdict() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = root.path();
    library(root, elsewhere.path());
    let all = json(root, &[]);
    assert_eq!(folders(root, &all, "verdict"), ["b/redis-outage", "a/ttl-expiry", "a/redis-outage"]);
    assert_eq!(folders(root, &all, "unreadable"), ["damaged", "link"]);
    assert_eq!((&all[0]["verdict"], &all[0]["seed"]), (&"failed".into(), &7.into()));
    let some = json(root, &["--scenario", "redis-outage", "--verdict", "failed"]);
    assert_eq!(folders(root, &some, "verdict"), ["b/redis-outage"]);
    assert_eq!(folders(root, &some, "unreadable"), ["damaged", "link"], "whatever the filters say");
    let (status, stdout, _) = output(root, &[]);
    assert_eq!(status, 0);
    assert!(stdout.contains("✗ failed        redis-outage  2026-02-01 10:00:00Z  seed 7\n"), "{stdout}");
    assert!(stdout.contains("\n  3 of 3 acknowledged writes are lost\n"), "{stdout}");
    assert!(stdout.ends_with("3 runs: 1 passed, 2 failed; 2 folders not readable\n"), "{stdout}");
    assert_eq!(output(&root.join("nowhere"), &[]).0, 2);
}

#[test]
fn prune_deletes_what_is_beyond_its_limits_and_nothing_else() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = root.path();
    library(root, elsewhere.path());
    fs::write(root.join("a/ttl-expiry/notes.txt"), "why it failed").unwrap();
    let there = |folder: &str| root.join(folder).exists();

    let (status, stdout, _) = output(root, &["--prune", "--keep", "1", "--dry-run"]);
    assert_eq!(status, 0, "{stdout}");
    assert!(stdout.contains("would delete  "), "{stdout}");
    assert!(there("a/redis-outage") && there("a/ttl-expiry"));

    let (status, stdout, _) = output(root, &["--prune", "--keep", "1"]);
    assert_eq!(status, 0, "{stdout}");
    assert!(stdout.contains("/a/redis-outage  (passed, 2026-01-01T10:00:00.000Z)\n"), "{stdout}");
    assert!(stdout.contains("/a/ttl-expiry: it holds notes.txt, which no drill wrote"), "{stdout}");
    assert!(stdout.contains("not readable  "), "{stdout}");
    assert!(!there("a/redis-outage") && there("a/ttl-expiry/notes.txt") && there("a/ttl-expiry/history.fdh"));
    assert!(
        there("b/redis-outage/run.json") && there("damaged/run.json") && elsewhere.path().join("x/run.json").exists()
    );

    fs::remove_file(root.join("a/ttl-expiry/notes.txt")).unwrap();
    let (status, stdout, _) = output(root, &["--prune", "--older-than", "1d", "--scenario", "ttl-expiry"]);
    assert_eq!(status, 0, "{stdout}");
    assert!(!there("a"), "the folder in which nothing is left goes too");
    assert!(there("b/redis-outage/run.json"));
}

#[test]
fn prune_says_what_is_missing_and_never_deletes_the_folder_that_it_was_given() {
    let root = tempfile::tempdir().unwrap();
    let run = saved(root.path(), "x", "redis-outage", Verdict::Passed, "2026-01-01T10:00:00.000Z");
    for wrong in [&["--prune"][..], &["--keep", "3"], &["--dry-run"], &["--prune", "--older-than", "long"]] {
        assert_eq!(output(root.path(), wrong).0, 2, "{wrong:?}");
    }
    let (status, stdout, _) = output(&run, &["--prune", "--keep", "0"]);
    assert_eq!(status, 0);
    assert!(stdout.contains("DIR is the run itself"), "{stdout}");
    assert!(run.join("run.json").exists());
}
