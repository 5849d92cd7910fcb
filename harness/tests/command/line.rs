//! The command line as users meet it: exit statuses, messages, signals.

use std::process::Stdio;
use std::time::Duration;

use firedrill_reports::Run;
use nix::sys::signal::Signal;

use crate::support::{drill, firedrill, is_alive, machine, redis_children, signal, start, wait_for};

const SOON: Duration = Duration::from_secs(60);

fn output(arguments: &[&str]) -> (i32, String, String) {
    let output = firedrill().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn list_names_every_shipped_scenario() {
    let (status, stdout, _) = output(&["list"]);
    assert_eq!(status, 0);
    for name in ["redis-outage", "restart-persistence", "ttl-expiry", "concurrent-writes"] {
        assert!(stdout.lines().any(|line| line.starts_with(name)), "{stdout}");
    }
    assert_eq!(output(&["list", "--tag", "no-such-tag"]).0, 2);
}

#[test]
fn show_prints_the_same_plan_for_the_same_seed() {
    let once = output(&["show", "redis-outage", "--seed", "7"]);
    assert_eq!(once.0, 0);
    assert!(once.1.contains("proxy.down") && once.1.contains("policy = \"drain\""), "{}", once.1);
    assert_eq!(once, output(&["show", "redis-outage", "--seed", "7"]));
    assert_ne!(once.1, output(&["show", "redis-outage", "--seed", "8"]).1);
}

#[test]
fn doctor_finds_the_redis_server() {
    let (status, stdout, _) = output(&["doctor"]);
    assert_eq!(status, 0, "{stdout}");
    assert!(stdout.contains("redis-server"), "{stdout}");
}

#[test]
fn the_schema_has_every_key_with_its_meaning() {
    let (status, stdout, _) = output(&["schema"]);
    assert_eq!(status, 0);
    let schema: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    for key in [
        "name",
        "about",
        "tags",
        "seed",
        "lab",
        "target",
        "store",
        "load",
        "fault",
        "steady",
        "checks",
        "situations",
        "gates",
    ] {
        assert!(schema["properties"][key]["description"].is_string(), "{key}");
    }
}

#[test]
fn a_wrong_scenario_is_shown_with_line_and_caret_and_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    let sound = "name = \"wrong\"\nabout = \"x\"\n[[load]]\nrate = \"10/s\"\nfor = \"1s\"\n";
    for (from, to, expected) in [
        ("rate =", "rat =", "unknown field `rat`"),
        ("\"1s\"", "\"1 parsec\"", "`1 parsec` is not a length of time"),
        ("\"1s\"", "\"0s\"", "a load must last longer than 0s"),
    ] {
        std::fs::write(&file, sound.replace(from, to)).unwrap();
        let (status, _, stderr) = output(&["run", file.to_str().unwrap()]);
        assert_eq!(status, 2, "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
        assert!(stderr.contains("wrong.toml:") && stderr.contains("here"), "file, line and caret: {stderr}");
    }
}

#[test]
fn a_scenario_that_is_not_there_and_a_wrong_set_exit_2() {
    let (status, _, stderr) = output(&["run", "redis-outrage"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("redis-outage"), "names what there is: {stderr}");
    assert_eq!(output(&["run", "redis-outage", "--set", "store.polcy=drain"]).0, 2);
    assert_eq!(output(&["run", "redis-outage", "--set", "nonsense"]).0, 2);
    assert_eq!(output(&["run"]).0, 2);
}

#[test]
fn without_a_redis_server_it_exits_4_and_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = firedrill()
        .args(["run", "redis-outage", "--out"])
        .arg(folder.path())
        .env("PATH", folder.path())
        .env_remove("FIREDRILL_REDIS_SERVER")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("apt-get install redis-server"), "{stderr}");
}

#[test]
fn a_redis_that_does_not_answer_exits_4_and_the_password_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing listens on port 1 of the loopback address.
    let output = firedrill()
        .args(["run", "concurrent-writes", "--redis", "redis://user:hunter2@127.0.0.1:1", "--out"])
        .arg(folder.path())
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    for text in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(text).contains("hunter2"));
    }
}

#[test]
fn sigint_and_sigterm_heal_report_and_exit_130() {
    for sent in [Signal::SIGINT, Signal::SIGTERM] {
        let _machine = machine();
        let folder = tempfile::tempdir().unwrap();
        let mut child = start("redis-outage", folder.path());
        let servers = in_mid_drill(child.id(), folder.path());
        signal(&child, sent);
        let status = wait_for("the drill's end", SOON, || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(130), "{sent}");
        for server in servers {
            wait_for("redis-server's end", SOON, || (!is_alive(server)).then_some(()));
        }
        let dir = folder.path().join("redis-outage");
        assert_eq!(Run::load(&dir).unwrap().verdict.name(), "interrupted");
        assert!(std::fs::read_to_string(dir.join("report.html")).unwrap().to_lowercase().contains("interrupted"));
    }
}

#[test]
fn sigkill_leaves_no_redis_server() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let mut child = start("redis-outage", folder.path());
    let servers = in_mid_drill(child.id(), folder.path());
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    for server in servers {
        wait_for("redis-server's end", SOON, || (!is_alive(server)).then_some(()));
    }
}

/// Waits until the load is running, that is, until the history is being written. Returns the drill's redis-servers.
fn in_mid_drill(harness: u32, out: &std::path::Path) -> Vec<(u32, u64)> {
    let history = out.join("redis-outage").join("history.fdh");
    wait_for("the load", SOON, || std::fs::metadata(&history).ok().filter(|file| file.len() > 40_000));
    let servers = redis_children(harness);
    assert_eq!(servers.len(), 1, "one redis-server of the drill's own");
    servers
}

#[test]
fn a_reader_that_goes_away_changes_neither_the_drill_nor_its_exit_status() {
    let _machine = machine();
    let folder = tempfile::tempdir().unwrap();
    let mut child = firedrill()
        .args(["run", "concurrent-writes", "--set", "load.for=2s", "--out"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let status = wait_for("the drill's end", SOON, || child.try_wait().unwrap());
    let run = Run::load(&folder.path().join("concurrent-writes")).unwrap();
    assert_eq!(status.code(), Some(run.exit_status), "{:?}", run.verdict);
}

#[test]
fn a_saved_run_is_rendered_again() {
    let done = drill("concurrent-writes", &["--set", "load.for=2s", "--seed", "1"]);
    let report = done.dir().join("report.html");
    let before = std::fs::read_to_string(&report).unwrap();
    std::fs::remove_file(&report).unwrap();
    let (status, stdout, _) = output(&["report", done.dir().to_str().unwrap()]);
    assert_eq!(status, 0);
    assert!(stdout.contains("concurrent-writes"), "{stdout}");
    assert_eq!(std::fs::read_to_string(&report).unwrap(), before);
    assert_eq!(output(&["report", "/no/such/run"]).0, 2);
}

/// Runs two short drills with these `jobs`, and returns the lines they printed to stderr.
fn told_by_two(jobs: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = firedrill();
    command.args(["run", "--jobs", jobs, "--out"]).arg(folder.path().join("runs"));
    for name in ["first", "second"] {
        let file = folder.path().join(format!("{name}.toml"));
        let load = "[[load]]\nrate = \"50/s\"\nfor = \"1s\"\nsessions = 10\npayload = \"1KB\"\nmix = { read = 1 }\n";
        std::fs::write(&file, format!("name = \"{name}\"\nabout = \"Reads.\"\n{load}")).unwrap();
        command.arg(file);
    }
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for name in ["first", "second"] {
        assert!(folder.path().join("runs").join(name).join("run.json").exists(), "{stdout}\n{stderr}");
    }
    let summary = stdout.rsplit("report  ").next().unwrap();
    let place = |name: &str| summary.lines().skip(1).position(|line| line.contains(name)).unwrap();
    assert!(place("first") < place("second"), "the summary has the order of the command line: {stdout}");
    stderr.lines().map(str::to_owned).collect()
}

#[test]
fn drills_run_side_by_side_or_one_after_the_other_as_asked() {
    let _room = machine();
    let place = |told: &[String], line: &str| told.iter().position(|told| told == line).unwrap();
    let beside = told_by_two("2");
    for (one, other) in [("first", "second"), ("second", "first")] {
        let (begin, end) = (format!("{one}  starting Redis"), format!("{other}  writing the report"));
        assert!(place(&beside, &begin) < place(&beside, &end), "{beside:#?}");
    }
    let after = told_by_two("1");
    assert!(place(&after, "first  writing the report") < place(&after, "second  starting Redis"), "{after:#?}");
}

#[test]
fn the_version_names_commit_and_build() {
    let (status, stdout, _) = output(&["--version"]);
    assert_eq!(status, 0);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], concat!("firedrill ", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("commit ") && lines[2].starts_with("build  "), "{stdout}");
    assert!(lines[2].contains("rustc 1."), "{stdout}");
    assert_eq!(output(&["-V"]).1, concat!("firedrill ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn completions_offer_the_shipped_scenarios_and_any_file_is_still_taken() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (status, script, _) = output(&["completions", shell]);
        assert_eq!(status, 0, "{shell}");
        // The generators for these two know no arguments without a flag.
        if !["elvish", "powershell"].contains(&shell) {
            assert!(script.contains("redis-outage restart-persistence ttl-expiry"), "{shell}");
        }
        if shell == "fish" {
            for command in ["run", "show", "capacity"] {
                let line = format!("using_subcommand {command}\" -a \"redis-outage ");
                assert!(script.contains(&line), "{command}: {script}");
            }
        }
        if shell == "zsh" {
            assert!(script.contains("_files -g \"*.toml\""), "{script}");
        }
    }
    let bash = "eval \"$(cat)\"; COMP_WORDS=(firedrill run redis-out); COMP_CWORD=2; \
                _firedrill firedrill redis-out run; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let script = output(&["completions", "bash"]).1;
    let mut shell = std::process::Command::new("bash");
    let mut shell = shell.args(["-c", bash]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), script.as_bytes()).unwrap();
    let offered = shell.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&offered.stdout), "redis-outage\n");
    assert!(output(&["show", "nowhere.toml"]).2.contains("cannot read nowhere.toml"));
    assert!(!output(&["run", "--help"]).1.contains("possible values: redis-outage"));
}

#[test]
fn a_misspelt_name_is_refused_with_the_one_that_was_meant() {
    for (arguments, meant) in [
        (&["run", "redis-outrage"][..], "redis-outage"),
        (&["run", "--tag", "cl"], "ci"),
        (&["show", "redis-outage", "--set", "store.polcy=drain"], "policy"),
        (&["show", "redis-outage", "--set", "store.policy=drian"], "drain"),
        (&["show", "redis-outage", "--set", "lab.topology=clutser"], "cluster"),
        (&["show", "redis-outage", "--set", "target.kind=stor"], "store"),
        (&["show", "redis-outage", "--set", "store.defect=guess-version"], "guesses-version"),
        (&["show", "redis-outage", "--set", "fault.kind=proxy.donw"], "proxy.down"),
        (&["show", "redis-outage", "--set", "fault.repaet=2"], "repeat"),
        (&["show", "redis-outage", "--set", "gates.\"durng.errors\"=<= 1%"], "during.errors"),
        (&["show", "redis-outage", "--set", "gates.\"during.reed.p95\"=<= 1s"], "during.read.p95"),
        (&["show", "redis-outage", "--set", "situations.\"unknown.apend\"=>= 1"], "unknown.append"),
        (&["show", "redis-outage", "--set", "claims.\"redis.reed\"=< 1s"], "redis.read"),
        (&["show", "redis-outage", "--set", "checks.lost-wrties=valid"], "lost-writes"),
        (&["check", "somewhere", "--checker", "lost-wrties"], "lost-writes"),
        (&["selftest", "--defect", "guess-version"], "guesses-version"),
    ] {
        let (status, _, stderr) = output(arguments);
        assert_eq!(status, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(&format!("did you mean `{meant}`?")), "{arguments:?}: {stderr}");
    }
}
