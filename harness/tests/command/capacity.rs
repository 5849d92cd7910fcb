//! `firedrill capacity` on a real Redis, with real load.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use firedrill_reports::capacity::{Capacity, Knee, Step, StepVerdict};
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

fn capacity(dir: &Path, more: &[&str]) -> std::process::Command {
    let scenario = dir.join("plain.toml");
    std::fs::write(&scenario, SCENARIO).unwrap();
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
