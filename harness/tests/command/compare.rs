//! `firedrill compare`, `run --baseline` and the export of figures, as a user would start them.

use std::fs;
use std::path::Path;
use std::process::Output;

use firedrill_reports::Run;
use firedrill_reports::ci::summary_json::Summary;
use firedrill_reports::compare::{Change, Comparison};
use firedrill_reports::run::{
    Batch, BatchResponse, Figures, OutcomeCounts, Phase, PhaseName, Quantiles, Scenario, Verdict,
};
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use tempfile::TempDir;

use crate::support::{firedrill, room_for_one};

/// A run of 1000 operations with this median; its slices deviate by up to 2 %.
fn run(name: &str, p50: f64) -> Run {
    let response = Quantiles { p50, p95: 4.0, p99: 8.0, ..Quantiles::default() };
    let slice = |n: u32| {
        let p50 = p50 * (1.0 + 0.02 * f64::from(n % 3).sin());
        Batch { ops: 50, errors: 0, response: Some(BatchResponse { p50, p95: 4.0, p99: 8.0 }) }
    };
    let outcomes = OutcomeCounts { ok: 1000, ..OutcomeCounts::default() };
    let figures = Figures { to_ms: 10_000.0, ops: 1000, outcomes, response: Some(response), ..Figures::default() };
    let batches = (0..20).map(slice).collect();
    Run {
        scenario: Scenario { name: name.to_owned(), ..Scenario::default() },
        verdict: Verdict::Passed,
        exit_status: 0,
        started_at: "2026-01-02T03:04:05.678Z".to_owned(),
        load_seconds: 10.0,
        phases: vec![Phase { name: PhaseName::Before, figures, operations: Vec::new(), batches }],
        config: "[[load]]\nrate = \"100/s\"\n".to_owned(),
        ..Run::default()
    }
}

fn folder(runs: &[(&str, &Run)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (place, run) in runs {
        run.save(&folder.path().join(place)).unwrap();
    }
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn compare(baseline: &Path, now: &Path, flags: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        firedrill().arg("compare").args([baseline, now]).args(flags).output().unwrap();
    (status.code().unwrap(), text(&stdout), text(&stderr))
}

#[test]
fn the_exit_status_says_what_became_of_the_runs() {
    let other_load = Run { config: "[[load]]\nrate = \"200/s\"\n".to_owned(), ..run("calm", 2.0) };
    for (now, status, says) in [
        (run("calm", 2.01), 0, "= UNCHANGED  calm"),
        (run("calm", 3.0), 5, "✗ REGRESSED  calm  1 regressed"),
        (run("calm", 1.0), 0, "✓ IMPROVED  calm  1 improved"),
        (other_load, 3, "? NOT COMPARABLE  calm  other load.0.rate: 100/s → 200/s"),
        (run("storm", 2.0), 3, "other scenario: the baseline is of calm, the run of storm"),
    ] {
        let (before, after) = (folder(&[("calm", &run("calm", 2.0))]), folder(&[("x", &now)]));
        let (code, stdout, stderr) = compare(&before.path().join("calm"), &after.path().join("x/run.json"), &[]);
        assert_eq!(code, status, "{stdout}{stderr}");
        assert!(stdout.contains(says), "{says} is not in\n{stdout}");
        assert!(after.path().join("x/compare.html").is_file(), "{stdout}");
    }
}

#[test]
fn folders_are_compared_scenario_by_scenario_and_one_regression_decides() {
    let before = folder(&[("a/calm", &run("calm", 2.0)), ("a/storm", &run("storm", 2.0)), ("a/old", &run("old", 2.0))]);
    let after = folder(&[("calm", &run("calm", 2.0)), ("storm", &run("storm", 3.0)), ("new", &run("new", 2.0))]);
    let page = after.path().join("page.html");
    let (code, stdout, _) = compare(before.path(), after.path(), &["-q", "--html", page.to_str().unwrap()]);
    assert_eq!(code, 5, "{stdout}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{stdout}");
    for says in ["= UNCHANGED  calm", "✗ REGRESSED  storm", "? NOT COMPARABLE  new", "? NOT COMPARABLE  old"] {
        assert!(lines.iter().any(|line| line.starts_with(says)), "{says}: {stdout}");
    }
    assert!(fs::read_to_string(page).unwrap().contains("4 scenarios compared"));
    assert!(!after.path().join("compare.html").exists(), "--html names another");
}

#[test]
fn json_is_the_comparison_and_the_margin_decides_what_matters() {
    let (before, after) = (folder(&[("r", &run("calm", 2.0))]), folder(&[("r", &run("calm", 3.0))]));
    let change = |flags: &[&str]| {
        let (code, stdout, _) = compare(before.path(), after.path(), flags);
        let comparisons: Vec<Comparison> = serde_json::from_str(&stdout).unwrap();
        let row = comparisons[0].rows.iter().find(|row| row.name == "before.p50").cloned().unwrap();
        (code, row.change, row.interval.unwrap().change)
    };
    let (code, changed, by) = change(&["--json"]);
    assert_eq!((code, changed), (5, Change::Regressed));
    assert!((by - 0.5).abs() < 1e-9, "{by}");
    assert_eq!(change(&["--json", "--margin", "60%"]).1, Change::Unchanged);
}

#[test]
fn what_cannot_be_read_or_written_is_named() {
    let (empty, some) = (tempfile::tempdir().unwrap(), folder(&[("r", &run("calm", 2.0))]));
    let (code, _, stderr) = compare(empty.path(), some.path(), &[]);
    assert!(code == 2 && stderr.contains("error: there is no run in"), "{stderr}");
    let (code, _, stderr) = compare(some.path(), some.path(), &["--html", "/nowhere/page.html"]);
    assert!(code == 4 && stderr.contains("cannot write /nowhere/page.html"), "{stderr}");
    let output = firedrill().args(["run", "calm.toml", "--baseline"]).arg(empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "before any drill starts");
}

#[test]
fn figures_are_exported_with_ranges_the_newest_run_of_each_scenario_once() {
    let newer = Run { started_at: "2026-01-03T03:04:05.678Z".to_owned(), ..run("calm", 3.0) };
    let runs = folder(&[("a/calm", &run("calm", 2.0)), ("b/calm", &newer)]);
    let output = firedrill().args(["export", "--format", "benchmark"]).arg(runs.path()).output().unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let medians: Vec<_> = entries.iter().filter(|entry| entry["name"] == "calm: before.p50").collect();
    assert_eq!((medians.len(), medians[0]["value"].as_f64()), (1, Some(3.0)));
    // As the action reads it.
    let range = medians[0]["range"].as_str().unwrap().strip_prefix("± ").unwrap();
    assert!(range.parse::<f64>().is_ok_and(|range| range > 0.0), "{range}");
}

const CALM: &str = r#"name = "calm"
about = "Reads."

[[load]]
rate = "100/s"
for = "2s"
sessions = 10
payload = "1KB"
mix = { read = 1 }
"#;

/// A drill of [`CALM`] into `out`, repeated while the machine is too busy for a verdict.
fn drilled(folder: &Path, out: &str, flags: &[&str]) -> (i32, Run) {
    fs::write(folder.join("calm.toml"), CALM).unwrap();
    for _ in 0..3 {
        let output =
            firedrill().args(["run", "calm.toml", "--out", out]).args(flags).current_dir(folder).output().unwrap();
        let run = Run::load(&folder.join(out).join("calm")).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        if run.verdict != Verdict::Inconclusive {
            return (output.status.code().unwrap(), run);
        }
    }
    panic!("the machine was too busy three times");
}

#[test]
fn a_drill_that_is_slower_than_its_baseline_exits_with_5_and_fails_its_case() {
    let _room = room_for_one();
    let folder = tempfile::tempdir().unwrap();
    let (status, run) = drilled(folder.path(), "main", &[]);
    assert_eq!(status, 0);
    assert!(run.phases[0].batches.len() >= 5 && run.phases[0].batches.iter().map(|batch| batch.ops).sum::<u64>() > 100);

    // Three runs of a store that answers within nanoseconds.
    for (number, p50) in [(1, 1.0e-4), (2, 1.01e-4), (3, 1.02e-4)] {
        let mut fast = run.clone();
        fast.phases[0].figures.response.iter_mut().for_each(|all| all.p50 = p50);
        fast.save(&folder.path().join(format!("fast/{number}/calm"))).unwrap();
    }
    let (status, _) = drilled(folder.path(), "now", &["--junit", "--summary-json", "--baseline", "fast"]);
    assert_eq!(status, 5);
    let now = folder.path().join("now");
    let report = Report::deserialize_from_str(&fs::read_to_string(now.join("junit.xml")).unwrap()).unwrap();
    let failed = |name: &str| {
        let mut cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
        let case = cases.find(|case| case.name.as_str() == name).unwrap_or_else(|| panic!("no case {name}"));
        matches!(case.status, TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. })
    };
    assert!(failed("baseline before.p50") && failed("verdict") && !failed("generator"));
    let summary: Summary = serde_json::from_str(&fs::read_to_string(now.join("summary.json")).unwrap()).unwrap();
    let entry = &summary.scenarios[0];
    assert_eq!((summary.exit_status, entry.exit_status, entry.verdict.as_str()), (5, 5, "passed"));
    assert!(now.join(entry.comparison.as_ref().unwrap()).is_file());
    assert!(entry.baseline.as_ref().is_some_and(|baseline| baseline.by_runs && baseline.baseline.len() == 3));
}
