//! `firedrill evidence` and `firedrill serve` on saved runs, without a drill.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use firedrill::scenario::shipped_named;
use firedrill_reports::Run;
use firedrill_reports::evidence::Plan;
use firedrill_reports::run::{Impact, Scenario, Touched, Verdict};
use nix::sys::signal::Signal;

use crate::support::{firedrill, signal};

const PLAN: &str = "title = \"Back\"\n[[step]]\nname = \"Roll back\"\nscenario = \"rollback\"\naccept = { lost = 4 }\n";

/// Saves a passed run of `rollback` in which this many sessions lost something, and returns its folder.
fn saved(root: &Path, folder: &str, lost: u64) -> PathBuf {
    let lost = Touched { sessions: lost, operations: lost, ..Touched::default() };
    let run = Run {
        scenario: Scenario { name: "rollback".to_owned(), ..Scenario::default() },
        verdict: Verdict::Passed,
        started_at: "2026-01-01T10:00:00.000Z".to_owned(),
        impact: Some(Impact { sessions: 200, lost: Some(lost), ..Impact::default() }),
        ..Run::default()
    };
    let path = root.join(folder);
    run.save(&path).unwrap();
    path
}

fn evidence(root: &Path, plan: &str) -> (i32, String, String) {
    fs::write(root.join("plan.toml"), plan).unwrap();
    let command = |command: &mut std::process::Command| command.current_dir(root).output().unwrap();
    let output = command(firedrill().args(["evidence", "--plan", "plan.toml", "runs"]));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_plan_is_met_by_its_runs_and_the_page_names_each_by_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("runs")).unwrap();
    let (status, stdout, _) = evidence(root, PLAN);
    assert_eq!(status, 3, "{stdout}");
    assert!(stdout.contains("no evidence  Roll back") && stdout.contains("firedrill run rollback"), "{stdout}");

    let run = saved(&root.join("runs"), "a/rollback", 4);
    let (status, stdout, stderr) = evidence(root, PLAN);
    assert_eq!(status, 0, "{stdout}{stderr}");
    let page = fs::read_to_string(root.join("runs/evidence.html")).unwrap();
    let sha256 = std::process::Command::new("sha256sum").arg(run.join("run.json")).output().unwrap();
    let digest = String::from_utf8(sha256.stdout).unwrap();
    assert!(page.contains(digest.split(' ').next().unwrap()) && page.contains("runs/a/rollback"), "{page}");
    for part in ["Signature", "☐ rejected", "4 of 200", "default-src 'none'"] {
        assert!(page.contains(part), "{part}");
    }

    saved(&root.join("runs"), "b/rollback", 5);
    let (status, stdout, _) = evidence(root, PLAN);
    assert_eq!(status, 1, "{stdout}");
    assert!(stdout.contains("runs/b/rollback: 5 sessions of 200 lost, accepted: at most 4"), "{stdout}");

    let (status, _, stderr) = evidence(root, &PLAN.replace("accept", "acept"));
    assert_eq!(status, 2);
    assert!(stderr.contains("plan.toml: TOML parse error at line 5"), "{stderr}");
}

#[test]
fn every_step_of_the_plan_in_the_docs_is_rehearsed_by_a_shipped_scenario() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plans/trivia-game.toml");
    let plan = Plan::parse(&fs::read_to_string(file).unwrap()).unwrap();
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/prove-a-plan.md");
    let guide = fs::read_to_string(guide).unwrap();
    assert!(plan.steps.len() >= 5);
    for step in &plan.steps {
        assert!(shipped_named(&step.scenario).is_ok(), "{}", step.scenario);
        assert!(guide.contains(&format!("`{}`", step.scenario)), "{} is not in the guide", step.scenario);
    }
}

/// Sends a request and returns the status and the whole answer.
fn ask(address: &str, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

#[test]
fn saved_runs_are_shown_to_who_has_the_url_and_to_no_other_host() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), "a/rollback", 0);
    let mut server = firedrill().arg("serve").arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("pages  http://").expect("a URL");
    let (address, path) = url.split_once('/').unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{line}");
    let get = |rest: &str| ask(address, &format!("/{path}{rest}"), address);

    let (status, list) = get("");
    assert!(status == 200 && list.contains("1 of 1 run") && list.contains("./runs/a/rollback/report.html"), "{list}");
    let (status, report) = get("runs/a/rollback/report.html");
    assert!(status == 200 && report.contains("<title>rollback: passed</title>"), "{report}");
    assert_eq!(get("runs/a/rollback/run.json").0, 200);
    assert_eq!(get("compare?baseline=a%2Frollback&run=a%2Frollback").0, 200);
    assert_eq!(get("runs/a/../../etc/passwd").0, 404);
    assert_eq!(ask(address, "/", address).0, 404, "without the token");
    assert_eq!(ask(address, &format!("/{path}"), "evil.example").0, 403);

    signal(&server, Signal::SIGINT);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}
