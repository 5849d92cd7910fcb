//! Drills of the `redis` target on servers of every kind: what it is told of a cluster, by sentinels, over TLS and through a
//! Unix socket is what the store is told.

use firedrill_reports::Run;
use firedrill_reports::run::Verdict;

use crate::support::drill::{FinishedDrill, Places, drill_text, run, written};
use crate::support::firedrill;

/// A load of sessions that are plain keys.
const LOAD: &str = r#"
name  = "raw"
about = "Plain commands."
[[load]]
rate     = "300/s"
for      = "6s"
sessions = 60
payload  = "1KB"
mix      = { create = 1, read = 6, put = 3, destroy = 1 }
deadline = "3s"
[gates]
"all.missing" = "= 0%"
[target]
kind        = "redis"
connections = 16
"#;

/// A failover drops what the old primary alone had.
const REPORTED: &str = r#"
[checks]
lost-writes      = "report"
read-your-writes = "report"
monotonic-reads  = "report"
stale-reads      = "report"
resurrection     = "report"
ttl              = "report"
double-award     = "report"
"#;

fn judged(drilled: &FinishedDrill) -> Run {
    let run = drilled.run();
    assert_eq!(run.verdict, Verdict::Passed, "{:?}\n{}", run.reasons, drilled.stdout);
    run
}

#[test]
fn in_a_cluster_it_follows_the_slots_to_whichever_node_has_them() {
    for pipeline in ["", "[target.redis]\npipeline = 4\nprotocol = 3\n"] {
        let text = format!(
            "{LOAD}{pipeline}[lab]\ntopology = \"cluster\"\n\
             [[fault]]\nkind = \"cluster.migrate-slots\"\nat = \"1s\"\nfor = \"1s\"\n\
             [[fault]]\nkind = \"cluster.failover\"\nat = \"3s\"\nfor = \"500ms\"\n"
        );
        let (_folder, file) = written(&text);
        let drilled = run(Places::Group, &file, &[]).expect(0);
        assert!(judged(&drilled).faults.iter().all(|fault| fault.bit), "{:?}", drilled.run().faults);
    }
}

#[test]
fn behind_sentinels_it_finds_the_primary_that_they_name() {
    let text = format!(
        "{}[lab]\ntopology = \"sentinel\"\n[[fault]]\nkind = \"process.kill\"\nat = \"1s\"\nfor = \"5s\"\n{REPORTED}",
        LOAD.replace("\"6s\"", "\"10s\"")
    );
    let (_folder, file) = written(&text);
    let drilled = run(Places::Group, &file, &[]).expect(0);
    assert!(judged(&drilled).faults.iter().all(|fault| fault.bit));
}

#[test]
fn over_tls_and_through_a_unix_socket_it_is_judged_like_any_other() {
    for keys in [
        "[lab]\ntopology = \"tls\"\n",
        "[lab]\ntopology = \"tls\"\n[target.redis]\npipeline = 8\n",
        "[target.redis]\nunix-socket = true\npipeline = 8\nprotocol = 3\nreconnect-after = 50\n",
    ] {
        let run = judged(&drill_text(&format!("{LOAD}{keys}"), &[]).expect(0));
        assert!(run.checks.iter().any(|check| check.name == "isolation" && check.verdict.name() == "valid"), "{keys}");
    }
}

/// A lifetime that the checkers know of: sessions that end are no losses, and sessions that do not are accused.
#[test]
fn sessions_with_a_lifetime_end_when_the_scenario_says() {
    let text = r#"
name  = "lifetimes"
about = "Sessions that end."
[[load]]
rate     = "200/s"
for      = "8s"
sessions = 100
payload  = "1KB"
keys     = { zipf = 1.5 }
mix      = { read = 6, put = 1 }
[store]
ttl     = "2s"
sliding = false
[target]
kind = "redis"
[target.redis]
command = [
    { send = "SET {{key}} {{value}} EX {{store.ttl}}", as = "create" },
    { send = "SET {{key}} {{value}} EX {{store.ttl}}", as = "put" },
]
[checks]
ttl = "valid"
"#;
    judged(&drill_text(text, &[]).expect(0));
    let forever = text.replacen("EX {{store.ttl}}\", as = \"put\"", "EX 3600\", as = \"put\"", 1);
    let (_folder, file) = written(&forever);
    let output = firedrill().args(["show", &file]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("put would not give a session the lifetime that create gives it"), "{said}");
}

#[test]
fn a_network_fault_with_a_unix_socket_is_refused_because_it_would_not_bite() {
    let fault = "[[fault]]\nkind = \"proxy.down\"\nat = \"1s\"\nfor = \"1s\"\n[target.redis]\nunix-socket = true\n";
    let (_folder, file) = written(&format!("{LOAD}{fault}"));
    let output = firedrill().args(["run", &file]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no proxy stands in front of a socket"), "{said}");
}

/// Lists, by commands of one's own: an append that is lost would be accused.
#[test]
fn lists_by_commands_of_ones_own_are_checked_for_every_item() {
    let text = r#"
name  = "lists"
about = "Sessions that are lists."
[[load]]
users    = 20
ramp     = "1s"
think    = "20ms"
for      = "4s"
sessions = 30
payload  = [{ size = "100B", weight = 3 }, { size = "1KB" }]
keys     = { gaussian = { deviation = "20%" } }
mix      = { read = 3, append = 3, command = 1 }
[target]
kind = "redis"
[target.redis]
pipeline = 4
command = [
    { send = "RPUSH {{key}} {{value}}", as = "create" },
    { send = "RPUSH {{key}} {{value}}", as = "append" },
    { send = "LRANGE {{key}} 0 -1", as = "read" },
    { send = "LLEN {{key}}", weight = 2 },
    { send = "LINDEX {{key}} -1" },
]
[checks]
lost-writes = "valid"
isolation   = "valid"
duplicated-writes = "valid"
"#;
    let run = judged(&drill_text(text, &[]).expect(0));
    assert!(run.reached.iter().any(|cell| cell.op == "command"), "{:?}", run.reached);
}

/// What MONITOR printed is sent again at its instants, and judged.
#[test]
fn a_recording_is_sent_again_and_what_has_no_session_is_left_out() {
    let mut recording = "OK\n".to_owned();
    for number in 0..3_000u32 {
        let (second, micros) = (number / 1_000, number % 1_000 * 1_000);
        let (key, command) = (number % 40, number % 7);
        let words = match command {
            0 => format!("\"SET\" \"sess:{key}\" \"{}\" \"EX\" \"60\"", "x".repeat(300)),
            1 => format!("\"HSET\" \"cart:{key}\" \"item\" \"\\x00{number}\""),
            2 => format!("\"HGETALL\" \"cart:{key}\""),
            3 => "\"PING\"".to_owned(),
            _ => format!("\"GET\" \"sess:{key}\""),
        };
        recording.push_str(&format!("17000000{second:02}.{micros:06} [0 127.0.0.1:50000] {words}\n"));
    }
    let text = r#"
name  = "again"
about = "A recording, sent again."
[[load]]
replay = { file = "monitor.txt", speed = 1.5 }
payload = "300B"
[target]
kind = "redis"
[target.redis]
pipeline = 4
[checks]
isolation = "valid"
"#;
    let (folder, file) = written(text);
    std::fs::write(folder.path().join("monitor.txt"), recording).unwrap();
    let drilled = run(Places::OneServer, &file, &[]).expect(0);
    let run = judged(&drilled);
    let fact = run.environment.iter().find(|fact| fact.key == "recording").unwrap();
    assert_eq!(fact.value, "2571 operations; left out: PING 429");
    // 3,000 less the PINGs, all of them sent, in two seconds instead of three.
    assert_eq!(run.generator.planned, 2_571);
    assert!((1.99..2.01).contains(&run.load_seconds), "{}", run.load_seconds);
}
