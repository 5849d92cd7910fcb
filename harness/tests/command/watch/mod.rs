//! `firedrill run` while somebody watches: the live page in a real browser, metrics that Prometheus' own tool reads or a
//! collector gets, and annotations in a Grafana.

mod grafana;
mod otlp;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use firedrill::history::{History, Note};
use firedrill_reports::Run;
use firedrill_reports::run::Verdict;
use serde_json::Value;
use tempfile::TempDir;

use self::grafana::{SmallGrafana, TOKEN};
use crate::support::browser::Browser;
use crate::support::http::ask;
use crate::support::watched::{Watched, parts};
use crate::support::{firedrill, room_for_a_group, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// By time the fault would begin after a second.
const GAME_DAY: &str = r#"name = "game-day"
about = "Redis drops off the network when somebody says so."

[[load]]
rate = "50/s"
for = "10s"
sessions = 20
payload = "1KB"
mix = { read = 2, append = 1 }

[[fault]]
name = "net"
kind = "proxy.down"
at = "1s"
for = "500ms"

[gates]
"during.errors" = "<= 20%"
"#;

fn calm(name: &str, length: &str) -> String {
    format!(
        "name = \"{name}\"\nabout = \"Reads.\"\n[[load]]\nrate = \"50/s\"\nfor = \"{length}\"\nsessions = 10\n\
         payload = \"1KB\"\nmix = {{ read = 1 }}\n"
    )
}

/// `firedrill run` of these scenarios with these flags, and these variables in its environment, in the folder.
fn drills(scenarios: &[String], flags: &[&str], variables: &[(&str, &str)]) -> (TempDir, Watched) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = firedrill();
    command.arg("run").current_dir(folder.path()).env("FIREDRILL_GRAFANA_TOKEN", TOKEN);
    command.envs(variables.iter().copied());
    for (number, text) in scenarios.iter().enumerate() {
        let file = format!("{number}.toml");
        std::fs::write(folder.path().join(&file), text).unwrap();
        command.arg(file);
    }
    let watched = Watched::start(command.args(["--out", "runs"]).args(flags).stdout(Stdio::null()));
    (folder, watched)
}

fn wait_until(browser: &Browser, what: &str, expression: &str) {
    wait_for(what, SOON, || (browser.value(expression) == Value::Bool(true)).then_some(()));
}

fn scrape(url: &str) -> String {
    let (address, path) = parts(url);
    let answer = ask(address, "GET", &path, &[], "").unwrap();
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.body
}

/// Lets Prometheus' own tool read `text`.
fn must_be_metrics(text: &str) {
    let tool = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut tool = tool.expect("promtool, of Debian's package prometheus: scripts/need.sh promtool");
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = tool.wait_with_output().unwrap();
    assert!(done.status.success(), "{}\n{text}", String::from_utf8_lossy(&done.stdout));
}

/// What a person does to the fault is what happens: it is shown, measured, annotated, recorded, and can be repeated.
#[test]
fn a_fault_that_a_person_starts_and_ends_is_shown_recorded_and_repeated() {
    let _room = room_for_a_group();
    let (browser, grafana) = (Browser::start(1300, 1000), SmallGrafana::start());
    let url = format!("http://{}/grafana", grafana.address);
    let flags = ["--live", "--inject", "--metrics", "127.0.0.1:0", "--grafana", &url, "--seed", "7"];
    let (folder, mut drill) = drills(&[GAME_DAY.to_owned()], &flags, &[]);
    let metrics = drill.told("metrics ");
    let live = drill.told("live ");
    browser.open(&live);
    must_keep_others_out(&live);

    let chip = "document.querySelector('#rows .chip').textContent";
    let start = "#rows button[aria-label^='Start']";
    wait_until(&browser, "throughput", "Number(document.querySelector('#tile-rate .value').textContent) > 0");
    assert_eq!(browser.value(chip), "off", "it has not begun by time");
    browser.click(start);
    wait_until(&browser, "the fault", &format!("{chip} === 'on'"));
    wait_until(&browser, "the fallback", "document.querySelector('#tile-fallback .value').textContent === 'active'");
    let text = scrape(&metrics);
    let on = "firedrill_drill_fault_active{scenario=\"game-day\",fault=\"net\",kind=\"proxy.down\"} 1\n";
    assert!(
        text.contains(on) && text.contains("firedrill_drill_fallback_active{scenario=\"game-day\",instance=\"0\"} 1\n"),
        "{text}"
    );
    must_be_metrics(&text);
    assert_eq!(browser.broken_rules(), [""; 0], "with the fault on");
    browser.click("#rows button[aria-label^='End']");
    wait_until(&browser, "the fault's end", &format!("{chip} === 'off'"));

    let (status, said) = drill.ended();
    let dir = folder.path().join("runs/game-day");
    let run = Run::load(&dir).unwrap();
    assert_eq!((status, run.verdict), (0, Verdict::Passed), "{:?}\n{said}", run.reasons);
    assert!(!said.contains("warning"), "{said}");
    // The command is gone, and the page is the report.
    wait_until(&browser, "the report", "!document.getElementById('report').hidden");
    assert_eq!(browser.value("document.title"), "game-day: passed");
    let shown = browser.value_inside("#report", "document.body.textContent");
    assert!(shown.as_str().unwrap().contains("during.errors"), "{shown}");

    let [fault] = &run.faults[..] else { panic!("{:?}", run.faults) };
    assert!(fault.by_hand && fault.bit, "{fault:?}");
    let history = History::load(&dir.join("history.fdh")).unwrap().0;
    let asked = history.notes.iter().filter_map(|note| match note {
        Note::ByHand { at, on, .. } => Some((*on, *at as f64 / 1e6)),
        _ => None,
    });
    let [(true, started), (false, ended)] = asked.collect::<Vec<_>>()[..] else { panic!("{:?}", history.notes) };
    let within = |one: f64, other: f64| (one - other).abs() < 0.01;
    assert!(
        within(started, fault.planned_at_ms) && within(ended, started + fault.planned_for_ms.unwrap()),
        "{fault:?}"
    );

    let [marked] = &grafana.tagged("proxy.down")[..] else { panic!("{:?}", grafana.tagged("firedrill")) };
    let lasted = marked["timeEnd"].as_u64().unwrap() - marked["time"].as_u64().unwrap();
    let observed = fault.end_ms.unwrap() - fault.onset_ms.unwrap();
    assert!((lasted as f64 - observed).abs() <= 1.0, "{marked} {observed}");
    assert_eq!(marked["text"], "game-day: proxy.down");
    let [recovery] = &grafana.tagged("recovery")[..] else { panic!("{:?}", grafana.tagged("firedrill")) };
    assert!(recovery["text"].as_str().unwrap().starts_with("game-day: steady again "), "{recovery}");

    must_repeat(&run, folder.path());
}

/// The replay line of a run brings the same fault at the same time, without anybody at a page.
fn must_repeat(run: &Run, folder: &Path) {
    assert!(run.replay.contains(" --inject-as runs/game-day"), "{}", run.replay);
    let own = Path::new(env!("CARGO_BIN_EXE_firedrill")).parent().unwrap();
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap());
    let mut again = Command::new("sh");
    again.arg("-c").arg(format!("{} --out again", run.replay)).current_dir(folder).env("PATH", path);
    let again = again.env_remove("CI").output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr);
    assert_eq!(again.status.code(), Some(0), "{said}");
    let repeated = Run::load(&folder.join("again/game-day")).unwrap();
    let [(before, fault)] = run.faults.iter().zip(&repeated.faults).collect::<Vec<_>>()[..] else { panic!("{said}") };
    let when = |fault: &firedrill_reports::run::Fault| (fault.by_hand, fault.planned_at_ms, fault.planned_for_ms);
    assert_eq!((repeated.seed, when(fault)), (run.seed, when(before)));
    assert!(fault.bit && fault.onset_ms.unwrap() >= before.planned_at_ms, "{fault:?}");
    assert!(repeated.replay.ends_with("--inject-as runs/game-day"), "{}", repeated.replay);
}

/// Without the token, from another page, or under another name there is nothing.
fn must_keep_others_out(live: &str) {
    let (address, path) = parts(live);
    let status =
        |path: &str, headers: &[(&str, &str)]| ask(address, "POST", path, headers, "").unwrap().status.as_u16();
    let stop = format!("{path}stop");
    assert_eq!(status("/stop", &[]), 404);
    assert_eq!(status("/00000000000000000000000000000000/stop", &[]), 404);
    assert_eq!(status(&stop, &[("origin", "http://evil.example")]), 403);
    assert_eq!(status(&stop, &[("sec-fetch-site", "cross-site")]), 403);
    let rebound = format!("evil.example:{}", address.port());
    assert_eq!(status(&stop, &[("host", &rebound), ("origin", &format!("http://{rebound}"))]), 403);
    let page = ask(address, "GET", &path, &[], "").unwrap();
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!((page.status.as_u16(), &page.headers["referrer-policy"]), (200, &"no-referrer".parse().unwrap()));
}

#[test]
fn drills_follow_one_another_on_the_page_and_a_button_stops_them() {
    let _room = room_for_a_group();
    let browser = Browser::start(1300, 1000);
    let words = "[...document.querySelectorAll('#drills .chip')].map((chip) => chip.textContent).join()";

    let (_folder, mut both) = drills(&[calm("first", "1s"), calm("second", "2s")], &["--live"], &[]);
    browser.open(&both.told("live "));
    let (status, said) = both.ended();
    assert_eq!(status, 0, "{said}");
    wait_until(&browser, "both reports", &format!("{words} === 'passed,passed' && reports.size === 2"));
    assert_eq!(browser.value("document.title"), "second: passed");
    assert_eq!(browser.broken_rules(), [""; 0], "at the end");
    browser.click("#drills button:first-child");
    assert_eq!(browser.value("document.title"), "first: passed", "its report is there, and the command is gone");

    let (folder, mut stopped) = drills(&[calm("endless", "10m"), calm("never", "1s")], &["--live"], &[]);
    browser.open(&stopped.told("live "));
    wait_until(&browser, "the load", "document.querySelector('#state').textContent === 'load'");
    browser.click("#stop");
    browser.accept();
    let (status, said) = stopped.ended();
    assert_eq!(status, 130, "{said}");
    assert_eq!(Run::load(&folder.path().join("runs/endless")).unwrap().verdict, Verdict::Interrupted);
    wait_until(&browser, "the end", &format!("{words} === 'interrupted,not-run'"));
    assert_eq!(browser.value("document.title"), "endless: interrupted");
}

#[test]
fn wrong_flags_for_watching_are_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calm.toml");
    std::fs::write(&file, calm("calm", "1s")).unwrap();
    let says = |flags: &[&str]| {
        let mut command = firedrill();
        command.arg("run").arg(&file).args(flags).current_dir(folder.path()).env_remove("FIREDRILL_GRAFANA_TOKEN");
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    std::fs::write(folder.path().join("token"), "").unwrap();
    for (flags, status, words) in [
        (&["--inject"][..], 2, "--live"),
        (&["--live=http"], 2, "invalid value"),
        (&["--inject-as", "nowhere"], 2, "--inject-as: "),
        (&["--metrics", "9100"], 2, "invalid"),
        (&["--metrics", &taken], 4, "cannot listen on"),
        (&["--grafana", "http://127.0.0.1:1"], 2, "FIREDRILL_GRAFANA_TOKEN"),
        (&["--grafana", "http://127.0.0.1:1", "--grafana-token-file", "token"], 2, "the token for Grafana is empty"),
        (
            &["--grafana", "http://a:hunter2@127.0.0.1:1", "--grafana-token-file", "token"],
            2,
            "leave user and password out",
        ),
    ] {
        let (code, said) = says(flags);
        assert!(code == Some(status) && said.contains(words), "{flags:?}: {code:?} {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    assert!(!folder.path().join("runs").exists());
}
