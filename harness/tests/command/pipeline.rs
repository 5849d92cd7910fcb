//! What a pipeline gets of `firedrill run`: one drill makes all outputs, and each is read back as its reader would.

use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use firedrill_reports::Run;
use firedrill_reports::ci::summary_json::Summary;
use firedrill_reports::run::GateVerdict;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{firedrill, python, room_for_one};

/// Redis never fits into a byte, so this fails on every machine.
const SCENARIO: &str = r#"name = "cut-off"
about = "Redis drops off the network for half a second."

[[load]]
rate = "50/s"
for = "3s"
sessions = 10
payload = "1KB"
mix = { read = 1, append = 1 }

[[fault]]
kind = "proxy.down"
at = "1s"
for = "500ms"

[checks]
ttl = "report"

[gates]
"during.errors" = "<= 100%"
"redis.memory" = "<= 1B"
"#;

/// A second of load without a fault.
const CALM: &str = r#"name = "calm"
about = "Reads."

[[load]]
rate = "50/s"
for = "1s"
sessions = 10
payload = "1KB"
mix = { read = 1 }
"#;

/// The line of the failed gate in [`SCENARIO`].
const FAILED: usize = 21;

/// A drill of [`SCENARIO`] in a pipeline that has already written a step summary.
struct Drilled {
    repository: TempDir,
    status: i32,
    stdout: String,
    stderr: String,
}

impl Drilled {
    fn read(&self, file: &str) -> String {
        let path = self.repository.path().join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}\n{}\n{}", self.stdout, self.stderr))
    }

    fn cases(&self) -> Vec<TestCase> {
        let report = Report::deserialize_from_str(&self.read("runs/junit.xml")).unwrap();
        assert_eq!(report.test_suites.len(), 1);
        report.test_suites.into_iter().flat_map(|suite| suite.test_cases).collect()
    }
}

static DRILLED: LazyLock<Drilled> = LazyLock::new(|| {
    let _room = room_for_one();
    let repository = repository();
    fs::write(repository.path().join("step.md"), "# Built\n").unwrap();
    let output = in_pipeline(&repository).args(["--json", "drills/cut-off.toml"]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Drilled {
        status: output.status.code().unwrap(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        repository,
    }
});

fn repository() -> TempDir {
    let repository = tempfile::tempdir().unwrap();
    fs::create_dir(repository.path().join("drills")).unwrap();
    fs::write(repository.path().join("drills/cut-off.toml"), SCENARIO).unwrap();
    fs::write(repository.path().join("drills/calm.toml"), CALM).unwrap();
    repository
}

/// `firedrill run --out runs` in a repository, as GitHub would run it.
fn in_pipeline(repository: &TempDir) -> Command {
    let mut command = firedrill();
    command.args(["run", "--out", "runs"]).current_dir(repository.path()).env("CI", "true");
    command.env("GITHUB_WORKSPACE", repository.path().canonicalize().unwrap());
    command.env("GITHUB_STEP_SUMMARY", repository.path().join("step.md"));
    command
}

#[test]
fn ci_true_changes_no_verdict_and_writes_every_output() {
    assert_eq!(DRILLED.status, 1, "{}\n{}", DRILLED.stdout, DRILLED.stderr);
    for file in ["cut-off/report.html", "cut-off/run.json", "index.html", "junit.xml", "summary.json", "summary.md"] {
        assert!(!DRILLED.read(&format!("runs/{file}")).is_empty(), "{file}");
    }
}

#[test]
fn junit_has_a_case_for_everything_that_was_judged() {
    let cases = DRILLED.cases();
    let status = |name: &str| {
        let case = cases.iter().find(|case| case.name.as_str() == name);
        let case = case.unwrap_or_else(|| panic!("no case {name}: {cases:#?}"));
        assert_eq!(case.classname.as_deref(), Some("firedrill.cut-off"));
        assert_eq!(case.extra.get("file").map(|file| file.as_str()), Some("drills/cut-off.toml"));
        case.status.clone()
    };
    assert!(matches!(status("gate redis.memory"), TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. }));
    assert!(matches!(status("verdict"), TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. }));
    assert!(matches!(status("check ttl"), TestCaseStatus::Skipped { .. }));
    for name in ["gate during.errors", "check lost-writes", "fault proxy.down", "generator"] {
        status(name);
    }
}

#[test]
fn junitparser_reads_the_same() {
    let script = "import sys; from junitparser import JUnitXml, Failure\n\
                  xml = JUnitXml.fromfile(sys.argv[1])\n\
                  failed = [case.name for suite in xml for case in suite if any(isinstance(r, Failure) for r in case.result)]\n\
                  print(xml.tests, 'gate redis.memory' in failed)";
    let file = DRILLED.repository.path().join("runs/junit.xml");
    let output = python().args(["-c", script]).arg(file).output().unwrap();
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), format!("{} True", DRILLED.cases().len()), "scripts/need.sh junitparser: {error}");
}

#[test]
fn the_summary_is_appended_to_the_step_s() {
    let own = DRILLED.read("runs/summary.md");
    assert!(own.starts_with("## Firedrill: 1 of 1 drill did not pass\n\n| | drill |"), "{own}");
    assert!(own.contains("| ❌ | gate redis.memory | \\<= 1B |"), "{own}");
    assert_eq!(DRILLED.read("step.md"), format!("# Built\n\n\n{own}"));
}

#[test]
fn summary_json_has_each_gate_with_its_limit_and_its_value() {
    let summary: Summary = serde_json::from_str(&DRILLED.read("runs/summary.json")).unwrap();
    let entry = &summary.scenarios[0];
    assert_eq!((summary.exit_status, entry.verdict.as_str()), (1, "failed"));
    let gate = entry.gates.iter().find(|gate| gate.name == "redis.memory").unwrap();
    assert_eq!((gate.verdict, gate.limit.as_str()), (GateVerdict::Fail, "<= 1B"));
    assert!(gate.actual.is_some_and(|bytes| bytes > 1.0), "{gate:?}");
    for file in [&entry.run, &entry.report] {
        assert!(DRILLED.repository.path().join("runs").join(file.as_ref().unwrap()).is_file(), "{file:?}");
    }
}

#[test]
fn the_annotation_is_at_the_line_of_the_gate() {
    assert_eq!(SCENARIO.lines().nth(FAILED - 1), Some("\"redis.memory\" = \"<= 1B\""));
    let start = format!("::error file=drills/cut-off.toml,line={FAILED},title=cut-off%3A gate redis.memory::");
    assert!(DRILLED.stderr.lines().any(|line| line.starts_with(&start)), "{}", DRILLED.stderr);
}

#[test]
fn the_index_leads_to_the_report() {
    let index = DRILLED.read("runs/index.html");
    assert!(index.contains("<a href=\"./cut-off/report.html\">cut-off</a>"), "{index}");
}

#[test]
fn json_prints_the_events_in_order_and_nothing_else() {
    let events: Vec<Value> = DRILLED.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |name: &str| -> Vec<&Value> { events.iter().filter(|event| event["event"] == name).collect() };
    assert!(events.iter().all(|event| event["scenario"] == "cut-off"), "{events:#?}");
    assert_eq!(events.first(), named("drill-started").first().copied());
    assert_eq!(events.last(), named("verdict").first().copied());
    assert!(named("phase").iter().any(|event| event["phase"] == "load"), "{events:#?}");
    let at = |name: &str| named(name)[0]["at_ms"].as_f64().unwrap();
    assert!(at("fault-on") < at("fault-off"), "{events:#?}");
    assert_eq!(named("verdict")[0]["verdict"], "failed");
}

#[test]
fn quiet_prints_a_line_and_no_ci_writes_nothing() {
    let _room = room_for_one();
    let repository = repository();
    let output = in_pipeline(&repository).args(["-q", "--no-ci", "drills/calm.toml"]).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((stdout.lines().count(), stderr.as_ref()), (1, ""), "{stdout}");
    let run = Run::load(&repository.path().join("runs/calm")).unwrap();
    assert!(stdout.contains(&format!(" {}  calm  ", run.verdict.name().to_uppercase())), "{stdout}");
    for file in ["runs/junit.xml", "runs/summary.md", "step.md"] {
        assert!(!repository.path().join(file).exists(), "{file}");
    }
}

#[test]
fn what_could_not_run_is_an_error_and_no_output_has_the_password() {
    let repository = repository();
    let mut command = in_pipeline(&repository);
    // Nothing listens on port 1 of the loopback address.
    command.args(["drills/cut-off.toml", "concurrent-writes", "--redis", "redis://user:hunter2@127.0.0.1:1"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let runs = repository.path().join("runs");
    let report = Report::deserialize_from_str(&fs::read_to_string(runs.join("junit.xml")).unwrap()).unwrap();
    assert_eq!((report.tests, report.errors, report.failures), (2, 2, 0));
    let summary = fs::read_to_string(repository.path().join("step.md")).unwrap();
    assert!(summary.contains("| ❔ not run | concurrent-writes |"), "{summary}");
    for file in ["index.html", "junit.xml", "summary.json", "summary.md"] {
        assert!(!fs::read_to_string(runs.join(file)).unwrap().contains("hunter2"), "{file}");
    }
}

#[test]
fn an_output_that_cannot_be_written_fails_the_command_only_if_a_flag_asked_for_it() {
    let repository = repository();
    fs::create_dir(repository.path().join("step.md")).unwrap();
    let run = |flags: &[&str]| {
        let output = in_pipeline(&repository).args(flags).args(["-q", "drills/calm.toml"]).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let _room = room_for_one();
    let (by_itself, said) = run(&[]);
    assert!(said.contains("step.md: Is a directory") && said.contains("--no-ci"), "{said}");
    assert_eq!(by_itself, Run::load(&repository.path().join("runs/calm")).unwrap().exit_status);
    let (asked, said) = run(&["--summary"]);
    assert!(said.starts_with("error: cannot write") && said.contains("GITHUB_STEP_SUMMARY"), "{said}");
    assert_eq!(asked, 4);
    assert!(repository.path().join("runs/junit.1.xml").is_file(), "the other outputs were written, twice");
}
