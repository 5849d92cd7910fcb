//! Drills of the application: session-server as a child process, driven over HTTP, with Redis and the process itself in
//! the harness's hands.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/app.rs"]
mod app;
mod support;

use support::{Drilled, drill, drill_text};

fn app_drill(scenario: &str, arguments: &[&str]) -> Drilled {
    let binary = app::session_server().to_str().unwrap();
    drill(scenario, &[&["--session-server", binary], arguments].concat())
}

fn app_drill_text(text: &str, arguments: &[&str]) -> Drilled {
    let binary = app::session_server().to_str().unwrap();
    drill_text(text, &[&["--session-server", binary], arguments].concat())
}

const SHORT: &str = r#"
name  = "drilled"
about = "A short load on the application."
[target]
kind        = "app"
connections = 32
[[load]]
rate     = "60/s"
for      = "4s"
sessions = 30
payload  = "2KB"
mix      = { create = 1, read = 5, append = 4 }
"#;

#[test]
fn an_outage_and_a_kill_of_the_application_cost_no_answer_under_drain() {
    let done = app_drill("app-outage", &[]).expect(0);
    let run = done.run();
    assert!(run.faults.iter().all(|fault| fault.bit), "{:?}", run.faults);
    assert!(run.faults[1].evidence.contains("session-server (pid "), "{}", run.faults[1].evidence);
    assert!(run.fallback.activations[0].served > 0 && run.fallback.drained.written > 0, "{:?}", run.fallback);
    let log = std::fs::read_to_string(done.dir().join("session-server.log")).unwrap();
    assert!(!log.is_empty());
    assert!(run.files.iter().any(|file| file.name == "session-server.log"));
    assert!(run.resources.iter().any(|sample| sample.process_rss_bytes.is_none()), "the process was dead for a second");
}

#[test]
fn an_outage_under_degrade_names_the_answers_that_are_lost() {
    let done = app_drill("app-outage", &["--set", "store.policy=degrade"]).expect(1);
    let run = done.run();
    let lost = run.checks.iter().find(|check| check.name == "lost-answers").unwrap();
    assert_eq!(lost.verdict.name(), "invalid");
    assert!(lost.samples.iter().any(|sample| sample.text.contains("degraded")), "{:?}", lost.samples);
}

#[test]
fn an_application_that_stands_still_bites_and_runs_on() {
    let fault = "[[fault]]\nkind = \"app.stop\"\nat = \"1s\"\nfor = \"1s\"\n[gates]\n\"app.memory\" = \"<= 1GiB\"\n";
    let done = app_drill_text(&format!("{SHORT}{fault}"), &[]).expect(0);
    let run = done.run();
    assert!(run.faults[0].bit && run.faults[0].evidence.contains("stands still"), "{:?}", run.faults);
    assert_eq!(done.check("lost-answers"), "valid");
}

#[test]
fn a_kill_of_an_application_that_could_not_reach_redis_costs_what_only_its_memory_held() {
    let faults = "[[fault]]\nkind = \"proxy.down\"\nat = \"1s\"\nfor = \"2s\"\n\
                  [[fault]]\nkind = \"app.kill\"\nat = \"2s\"\nfor = \"300ms\"\n[steady]\nfor = \"500ms\"\n";
    let done = app_drill_text(&format!("{SHORT}{faults}"), &[]).expect(1);
    assert_eq!(done.check("lost-answers"), "invalid");
}

#[test]
fn an_application_that_encrypts_behind_a_breaker_pays_each_reward_once_through_an_outage() {
    let outage = "[[fault]]\nkind = \"proxy.down\"\nat = \"1s\"\nfor = \"500ms\"\n[steady]\nfor = \"500ms\"\n\
                  [store]\nencryption = true\nbreaker = { failures = 2, open-for = \"300ms\" }\n";
    let mix = "load.0.mix={ create = 1, read = 4, append = 3, award = 2 }";
    let done = app_drill_text(&format!("{SHORT}{outage}"), &["--set", mix]).expect(0);
    for checker in ["lost-answers", "double-award"] {
        assert_eq!(done.check(checker), "valid");
    }
    assert!(done.run().fallback.activations[0].served > 0);
}

#[test]
fn under_silent_cache_what_the_application_dropped_is_counted() {
    let outage = "[[fault]]\nkind = \"proxy.down\"\nat = \"1s\"\nfor = \"1s\"\n[steady]\nfor = \"500ms\"\n";
    let done = app_drill_text(&format!("{SHORT}{outage}"), &["--set", "store.policy=silent-cache"]).expect(1);
    assert!(done.run().store.dropped > 0, "{}", done.stdout);
    assert_eq!(done.check("lost-answers"), "invalid");
}

#[test]
fn a_hundred_users_stay_below_the_alert_lines() {
    // How long an answer takes on a busy machine says nothing of the store: only the other lines are held to here.
    let done = app_drill("hundred-users", &["--set", "gates.\"all.p95\"=<= 60s"]).expect(0);
    let run = done.run();
    let gate = |name: &str| run.gates.iter().find(|gate| gate.name == name).unwrap().actual;
    assert!(gate("app.memory").is_some_and(|bytes| bytes > 1e6), "{:?}", run.gates);
    assert!(gate("redis.memory").is_some_and(|bytes| bytes > 1e6), "{:?}", run.gates);
    assert!(run.resources.iter().any(|sample| sample.process_cpu_ms.is_some_and(|ms| ms > 0)));
    assert!(done.stdout.contains("process: at most "), "{}", done.stdout);
}

#[test]
fn a_hundred_users_fire_the_alert_lines_when_redis_is_held_up() {
    let stop = "fault=[{ kind = \"process.stop\", at = \"3s\", for = \"1500ms\" }]";
    let run = app_drill("hundred-users", &["--set", stop]).expect(1).run();
    let failed: Vec<&str> =
        run.gates.iter().filter(|gate| gate.verdict.name() == "fail").map(|gate| gate.name.as_str()).collect();
    assert!(failed.contains(&"fallback.activations"), "{failed:?}");
}

#[test]
fn without_a_session_server_there_is_no_drill_and_a_way_to_get_one() {
    let done = drill_text(SHORT, &["--session-server", "/nonexistent/session-server"]).expect(4);
    assert!(done.stderr.contains("cargo build") && done.stderr.contains("--session-server"), "{}", done.stderr);
}

#[test]
fn what_an_application_cannot_do_is_refused_with_its_place() {
    for (change, message) in [
        ("load.0.mix={ read = 1, touch = 1 }", "cannot put, touch, list or count"),
        ("store.update=compare-and-set", "in one way: atomic"),
        ("store.ttl=1500ms", "whole seconds"),
        ("store.defect=forgets-ttl", "defects are planted in the store"),
        ("store.encryption={ rotate-at = \"1s\" }", "takes its key at its start"),
        ("store.breaker.open-for=2h", "an hour at most"),
        ("deploy=[{ at = \"1s\", policy = \"memory\" }]", "takes its settings at its start"),
        ("fault=[{ kind = \"clock.skew\", at = \"1s\", for = \"1s\", by = \"5s\" }]", "the time of its machine"),
        ("gates.\"breaker.opens\"== 0", "does not tell when its breaker opens"),
    ] {
        let done = drill_text(SHORT, &["--set", change]).expect(2);
        assert!(done.stderr.contains(message) && done.stderr.contains("here"), "{change}: {}", done.stderr);
    }
    let fault = "\n[[fault]]\nkind = \"app.kill\"\nat = \"1s\"\nfor = \"1s\"\n";
    let done = drill_text(&format!("{SHORT}{fault}"), &["--set", "target.kind=store"]).expect(2);
    assert!(done.stderr.contains("app.kill hits the application"), "{}", done.stderr);
}

#[test]
fn every_claim_is_shown_with_its_figure_and_one_that_does_not_hold_fails_the_drill() {
    let generous: Vec<String> =
        "redis.read redis.write redis.operation memory.operation connect encrypt decrypt health.healthy"
            .split(' ')
            .map(|claim| format!("claims.\"{claim}\"=< 10s"))
            .collect();
    let mut arguments: Vec<&str> = generous.iter().flat_map(|change| ["--set", change.as_str()]).collect();
    let run = drill("latency-claims", &arguments).expect(0).run();
    assert!(run.claims.len() == 12 && run.claims.iter().all(|claim| claim.actual.is_some()), "{:?}", run.claims);
    arguments.extend(["--set", "claims.\"redis.write\"=< 1us"]);
    let done = drill("latency-claims", &arguments).expect(1);
    assert!(done.stdout.contains("claims.refuted"), "{}", done.stdout);
}
