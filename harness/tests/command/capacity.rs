//! `firedrill capacity` on a real Redis, with real load.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use firedrill_reports::capacity::{Capacity, Knee, Step, StepVerdict, SurvivableAnswer};
use firedrill_reports::run::Verdict;
use firedrill_reports::text::rate;
use nix::sys::signal::Signal;

use crate::support::{firedrill, is_alive, machine, redis_children, signal, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// A load of plain GET and SET, with objectives that only saturation breaks, on any machine.
const SCENARIO: &str = r#"
name  = "plain"
about = "Plain reads and writes."
target = { kind = "redis" }

[[load]]
rate     = "100/s"
for      = "1s"
sessions = 200
payload  = "200B"
mix      = { read = 3, put = 1 }
"#;

fn capacity(dir: &Path, more: &[&str]) -> Command {
    capacity_of(SCENARIO, dir, more)
}

/// A search with the load of the scenario in `text`.
fn capacity_of(text: &str, dir: &Path, more: &[&str]) -> Command {
    let scenario = dir.join("scenario.toml");
    std::fs::write(&scenario, text).unwrap();
    let mut command = firedrill();
    command.arg("capacity").arg(scenario).arg("--out").arg(dir.join("out")).args(more);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn refused(more: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = capacity(folder.path(), more).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    text(&output.stderr)
}

#[test]
fn a_question_that_makes_no_sense_is_refused_before_anything_starts() {
    assert!(refused(&[]).contains("--slo"));
    assert!(refused(&["--slo", "read.p99"]).contains("a limit is missing"));
    assert!(refused(&["--slo", "errors = 0%"]).contains("no number of operations proves"));
    assert!(refused(&["--slo", "destroy.p99 <= 5ms"]).contains("its mix does not have it"));
    assert!(refused(&["--slo", "p99 <= 5ms", "--width", "0%"]).contains("--width"));
    assert!(refused(&["--slo", "p99 <= 5ms", "--check", "/no/such/file"]).contains("--check: cannot read"));
    assert!(refused(&["--memory=5MiB"]).contains("give between 16MiB and 4GiB"));
    assert!(refused(&["--memory", "--set", "lab.topology=replicas"]).contains("--set lab.topology=standalone"));
    assert!(refused(&["--survive"]).contains("choose one with a [[fault]]"));
    assert!(refused(&["--memory", "--now", "3000/s", "--growth", "5%"]).contains("5%/month"));
    assert!(refused(&["--memory", "--now", "0/s"]).contains("above 0/s"));
}

#[test]
fn no_redis_of_others_is_filled_or_stopped() {
    // Nothing listens there: the refusal comes before any connection.
    assert!(refused(&["--memory", "--redis", "redis://127.0.0.1:1"]).contains("leave out --redis"));
    let confirm = ["--slo", "p99 <= 5ms", "--confirm", "--redis", "redis://127.0.0.1:1"];
    assert!(refused(&confirm).contains("only to its own"));
}

#[test]
fn a_file_of_nodes_is_refused_with_the_line_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = folder.path().join("nodes.toml");
    std::fs::write(&nodes, "[[node]]\nname = \"small\"\nvcpu = 2\nmemory = \"4 gigs\"\nprice = 9\n").unwrap();
    let said = refused(&["--memory", "--now", "3000/s", "--nodes", &nodes.to_string_lossy()]);
    assert!(said.contains("nodes.toml:4") && said.contains("is not an amount of bytes"), "{said}");
}

/// Sessions of 4 KB, through the store.
const SESSIONS: &str = r#"
name  = "sessions"
about = "Sessions of four kilobytes."

[[load]]
rate     = "200/s"
for      = "1s"
sessions = 100
payload  = "4KB"
mix      = { read = 3, append = 1 }
"#;

#[test]
fn the_predicted_number_of_sessions_fills_a_redis_and_the_formula_explains_their_size() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let nodes = folder.path().join("nodes.toml");
    std::fs::write(&nodes, "[[node]]\nname = \"small\"\nvcpu = 2\nmemory = \"1GiB\"\nprice = 9\n").unwrap();
    let asked = ["--memory=24MiB", "--ram", "1GiB", "--now", "50/s", "--sessions", "500000", "--nodes"];
    let output = capacity_of(SESSIONS, folder.path(), &asked).arg(&nodes).output().unwrap();
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", text(&output.stderr));
    let found = Capacity::load(&folder.path().join("out/sessions")).unwrap();
    let memory = found.memory.unwrap();
    assert_eq!(memory.kinds.iter().map(|kind| kind.name.as_str()).collect::<Vec<_>>(), ["plain", "encrypted"]);
    for kind in &memory.kinds {
        assert!(kind.fill.full && kind.fill.error().abs() <= 0.02, "{kind:?}");
        // The server's own report of what keys take, summed up, is no part of the formula: they are two witnesses.
        let formula = kind.formula().unwrap();
        assert!((kind.bytes[0] / formula - 1.0).abs() <= 0.02, "{formula}: {kind:?}");
        assert!(kind.maxmemory > 0.3e9 && kind.maxmemory < 0.97e9 && kind.save.is_some(), "{kind:?}");
    }
    let small = &found.sizing.unwrap().types[0];
    assert!(small.by_memory.is_some_and(|nodes| nodes > 3) && small.by_cpu.is_none(), "{small:?}");
    assert!(shown.contains("sessions until 24 MiB are full, plain") && shown.contains("formula: the sum"), "{shown}");
    let page = std::fs::read_to_string(folder.path().join("out/sessions/capacity.html")).unwrap();
    assert!(page.contains("id=\"memory-limit\"") && page.contains("id=\"nodes\""));
}

/// During the fault each of 4 connections carries about 50 operations a second: 200 together, on any machine.
const SLOW: &str = r#"
name   = "slow"
about  = "Redis is 20 ms away for 2 s."
target = { kind = "redis", connections = 4 }

[[load]]
rate     = "60/s"
for      = "8s"
sessions = 20
payload  = "1KB"
mix      = { read = 3, put = 1 }

[[fault]]
kind    = "proxy.latency"
at      = "2s"
for     = "2s"
latency = "20ms"

[gates]
"during.errors" = "= 0%"
"during.p95"    = "<= 300ms"
"#;

#[test]
#[ignore = "a minute of whole drills: `make test-all` runs it"]
fn the_survivable_rate_lies_between_drills_that_passed_and_drills_that_failed() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let asked = ["--survive", "--width", "20%", "--seed", "7"];
    let output = capacity_of(SLOW, folder.path(), &asked).output().unwrap();
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", text(&output.stderr));
    let found = Capacity::load(&folder.path().join("out/slow")).unwrap().survivable.unwrap();
    let SurvivableAnswer::Between { rate, below, .. } = found.answer else { panic!("{shown}") };
    assert!(60.0 <= rate && rate < below && below <= 400.0 && below <= rate * 1.41, "{shown}");
    let times =
        |of: f64, verdict| found.drills.iter().filter(|drill| drill.rate == of && drill.verdict == verdict).count();
    assert!(times(rate, Verdict::Passed) >= 2, "{shown}");
    assert!(!found.what_broke().is_empty() && shown.contains("what breaks above it"), "{shown}");
    let record = folder.path().join("out/slow").join("drills/01/slow/run.json");
    assert!(record.exists(), "{shown}");
}

/// An earlier answer to the same question, with the interval given.
fn earlier(dir: &Path, low: f64, high: f64) -> String {
    let knee = serde_json::json!({ "kind": "at", "rate": (low + high) / 2.0, "low": low, "high": high });
    let record = serde_json::json!({
        "format_version": 1, "firedrill_version": "0.1.0", "started": "2026-11-29T00:00:00.000Z", "scenario": "plain",
        "target": "redis", "seed": 1, "objectives": [{ "text": "p50 <= 500ms", "allowed": 0.5 }], "knee": knee,
        "cut_short": false, "interrupted": false, "wanted_width": 0.05, "ceiling": null,
        "limit": { "name": "not-determined", "evidence": "" }, "in_flight": null, "redis_cpu_us": null,
        "scalability": null, "steps": [], "environment": [], "replay": "",
    });
    let path = dir.join("earlier.json");
    std::fs::write(&path, record.to_string()).unwrap();
    path.to_string_lossy().into_owned()
}

fn known(output: &Output, dir: &Path) -> Capacity {
    let said = || format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    Capacity::load(&dir.join("out/plain")).unwrap_or_else(|error| panic!("{error}\n{}", said()))
}

#[test]
#[ignore = "a minute of the whole machine: `make test-all` runs it"]
fn a_search_finds_a_rate_between_what_passed_and_what_failed_and_tells_it_from_an_impossible_one() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    // No machine answers a billion operations a second, so the intervals cannot overlap.
    let earlier = earlier(folder.path(), 0.9e9, 1.1e9);
    let asked = ["--slo", "p50 <= 500ms", "--for", "8s", "--start", "8000/s", "--check", &earlier];
    let output = capacity(folder.path(), &asked).output().unwrap();
    let found = known(&output, folder.path());
    let shown = text(&output.stdout);
    let steps: Vec<&Step> = found.on_target().collect();
    assert!(found.steps.len() > steps.len() && !steps.is_empty(), "{shown}");
    match found.knee {
        Knee::At { rate, low, high } => {
            assert!(low <= rate && rate <= high, "{shown}");
            assert_eq!(output.status.code(), Some(5), "{shown}");
            assert!(shown.contains("lower than before"), "{shown}");
            let of = |verdict| steps.iter().filter(move |step| step.verdict == verdict).map(|step| step.rate);
            assert!(of(StepVerdict::Passed).any(|passed| passed < high), "{shown}");
        }
        // A machine with little to spare for the generator has no better answer; it is above nothing that failed.
        Knee::AtLeast { rate } => assert!(steps.iter().any(|step| step.rate == rate), "{shown}"),
        // A machine that is held up all the time gives no answer, and says so.
        Knee::Unknown { .. } if steps.iter().any(|step| step.verdict == StepVerdict::Distrusted) => {
            assert_eq!(output.status.code(), Some(3), "{shown}");
        }
        ref other => panic!("{other:?}\n{shown}"),
    }
    // What redis-server itself reports: it was under load.
    assert!(steps.iter().any(|step| step.redis_cores.is_some_and(|cores| cores > 0.0)), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    for file in ["steps.csv", "capacity.html"] {
        let text = std::fs::read_to_string(folder.path().join("out/plain").join(file)).unwrap();
        assert!(text.contains("climb"), "{file}");
    }
}

#[test]
fn an_interrupted_search_keeps_what_it_knows_and_leaves_no_server() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let mut command = capacity(folder.path(), &["--slo", "p50 <= 500ms", "--start", "20000/s"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first step on the target is over.
    let rate = rate(20_000.0);
    said.by_ref().map(Result::unwrap).find(|line| line.contains(&rate)).unwrap();
    let servers = redis_children(child.id());
    assert_eq!(servers.len(), 1);
    signal(&child, Signal::SIGINT);
    let rest = std::thread::spawn(move || said.map_while(Result::ok).collect::<Vec<_>>());
    let status = wait_for("the end of the search", SOON, || child.try_wait().unwrap());
    rest.join().unwrap();
    assert_eq!(status.code(), Some(130));
    for server in servers {
        wait_for("redis-server's end", SOON, || (!is_alive(server)).then_some(()));
    }
    let found = Capacity::load(&folder.path().join("out/plain")).unwrap();
    assert!(found.interrupted && found.on_target().any(|step| step.rate == 20_000.0), "{found:?}");
    assert!(matches!(&found.knee, Knee::Unknown { why } if why.contains("the search was stopped before")), "{found:?}");
}
