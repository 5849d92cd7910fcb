//! Every shipped scenario that is not in the set for CI passes with the policy that it asks for. They are short and light, so
//! some of them run side by side, and what is measured in them is wide enough for that.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Mutex;

use firedrill::scenario::{Source, parse, shipped};
use support::{Drilled, drill_beside, machine};

/// Drills at a time.
const LANES: usize = 4;

/// Run by `scenarios.rs` and `app_target.rs`, together with what must fail them.
const RUN_ELSEWHERE: [&str; 5] = ["ttl-expiry", "breaker-recovery", "rollback", "migration-direct", "latency-claims"];

/// Shipped scenarios without the tag `ci`, whose tests are in `scenarios.rs`. Those that need more than a Redis (the
/// application, a topology) are run by the tests of that.
fn nightly() -> Vec<&'static str> {
    let tagged = |text: &str| {
        let source = Source { name: "shipped".to_owned(), text: text.to_owned() };
        let tags = parse(&source, &[]).unwrap().tags;
        tags.iter().any(|tag| tag == "nightly")
            && !tags.iter().any(|tag| tag == "ci" || tag == "topology" || tag == "app")
    };
    let names = shipped().iter().filter(|scenario| tagged(scenario.text)).map(|scenario| scenario.name);
    names.filter(|name| !RUN_ELSEWHERE.contains(name)).collect()
}

/// What is wrong with the outcome of a scenario; more than its exit status where it is to show something.
fn complaint(name: &str, done: &Drilled) -> Option<String> {
    if done.status != 0 {
        return Some(format!("{name}: exit status {}\n{}\n{}", done.status, done.stdout, done.stderr));
    }
    let run = done.run();
    let check = |wanted: &str| run.checks.iter().find(|check| check.name == wanted).map(|check| check.verdict.name());
    let shown = match name {
        "power-loss" | "data-lost" | "eviction" | "keys-deleted" => check("lost-answers") == Some("invalid"),
        "clock-skew" => check("ttl") == Some("valid"),
        "flapping-network" => run.faults.len() == 3 && run.fallback.activations.len() >= 3,
        _ => true,
    };
    let bit = run.faults.iter().all(|fault| fault.bit && fault.onset_ms.is_some() && fault.end_ms.is_some());
    (!shown || !bit).then(|| format!("{name}: passed without showing what it is for\n{}", done.stdout))
}

#[test]
fn every_nightly_scenario_passes_and_shows_what_it_is_for() {
    let _machine = machine();
    let waiting = Mutex::new(nightly());
    assert!(waiting.lock().unwrap().len() >= 20);
    let complaints = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let Some(name) = waiting.lock().unwrap().pop() else { return };
                    let done = drill_beside(name, &[]);
                    complaints.lock().unwrap().extend(complaint(name, &done));
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
fn power_loss_takes_nothing_that_was_synced_before_it_was_acknowledged() {
    let _machine = machine();
    let all = ["--set", "lab.redis.persistence=aof-always", "--set", "gates.\"checks.lost-answers.offences\"== 0"];
    drill_beside("power-loss", &all).expect(0);
}

/// The names of the gates that failed.
fn failed(done: &Drilled) -> Vec<String> {
    let gates = done.run().gates;
    gates.into_iter().filter(|gate| gate.verdict.name() == "fail").map(|gate| gate.name).collect()
}

#[test]
fn a_failover_costs_answers_where_the_store_refuses_or_forgets_what_it_cannot_write() {
    let _machine = machine();
    let refused = drill_beside("failover-readonly", &["--set", "store.policy=fail-fast"]).expect(1);
    assert!(failed(&refused).contains(&"during.errors".to_owned()), "{}", refused.stdout);
    let forgot = drill_beside("failover-readonly", &["--set", "store.policy=degrade"]).expect(1);
    assert!(failed(&forgot).contains(&"fallback.lost".to_owned()), "{}", forgot.stdout);
    assert_eq!(forgot.check("lost-answers"), "invalid");
}

#[test]
fn what_is_idle_in_memory_stays_there_where_nobody_cleans_up() {
    let _machine = machine();
    for policy in ["memory", "drain"] {
        let policy = format!("store.policy={policy}");
        drill_beside("memory-cleanup", &["--set", &policy]).expect(0);
        let done =
            drill_beside("memory-cleanup", &["--set", &policy, "--set", "store.defect=never-cleans-up"]).expect(1);
        assert_eq!(failed(&done), ["sessions.held"], "{}", done.stdout);
        assert_eq!(done.check("ttl"), "valid", "that reads find nothing does not show it");
    }
}
