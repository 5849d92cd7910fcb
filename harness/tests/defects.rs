//! Planted defects of stores: each drill passes on the sound store, and fails on the one that has the defect.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::{drill, drill_text};

/// Many claim the rewards of few sessions at once, and Redis drops off the network while others play on.
const AWARDS: &str = r#"
name  = "drilled"
about = "Whoever claims, and whatever becomes of Redis: each reward is paid out once."
[[load]]
users    = 64
for      = "1s"
sessions = 100
payload  = "1KB"
mix      = { award = 1 }
[[load]]
rate     = "400/s"
for      = "9s"
sessions = 200
payload  = "2KB"
mix      = { create = 1, read = 2, append = 2, award = 3 }
[[fault]]
kind = "proxy.down"
at   = "2s"
for  = "1s"
[checks]
double-award = "valid"
lost-answers = "valid"
"#;

#[test]
fn a_reward_is_paid_once_also_through_an_outage() {
    for policy in ["drain", "fail-fast"] {
        let done = drill_text(AWARDS, &["--set", &format!("store.policy={policy}")]).expect(0);
        assert_eq!(done.check("double-award"), "valid");
    }
}

#[test]
fn a_reward_claimed_by_reading_and_writing_is_paid_twice() {
    let done = drill_text(AWARDS, &["--set", "store.defect=award-twice"]).expect(1);
    let run = done.run();
    let paid = run.checks.iter().find(|check| check.name == "double-award").unwrap();
    assert_eq!(paid.verdict.name(), "invalid");
    assert!(paid.samples.iter().all(|sample| sample.text.contains("the reward is award")), "{:?}", paid.samples);
}

const BAD_VALUES: &str = r#"
name  = "drilled"
about = "Half of the sessions hold garbage, and users log out: each of them is logged out."
[store]
policy = "fail-fast"
[[load]]
rate     = "200/s"
for      = "6s"
sessions = 400
payload  = "1KB"
mix      = { create = 1, read = 1, destroy = 2 }
[[fault]]
kind  = "keys.corrupt"
share = "50%"
at    = "1s"
for   = "2s"
[checks]
resurrection = "valid"
[gates]
"during.destroy.errors" = "= 0%"
"#;

#[test]
fn a_value_that_does_not_parse_can_be_destroyed_but_not_by_a_store_that_parses_it_first() {
    drill_text(BAD_VALUES, &[]).expect(0);
    let done = drill_text(BAD_VALUES, &["--set", "store.defect=delete-parses-first"]).expect(1);
    let gates = done.run().gates;
    assert!(
        gates.iter().any(|gate| gate.name == "during.destroy.errors" && gate.verdict.name() == "fail"),
        "{gates:?}"
    );
}

const IDLE: &str = r#"
name  = "drilled"
about = "Sessions that nobody used for longer than their TTL are gone."
[store]
ttl         = "1s"
final_reads = "living"
[[load]]
at       = "3s"
rate     = "200/s"
for      = "2s"
sessions = 2000
payload  = "1KB"
mix      = { read = 1 }
[checks]
ttl = "valid"
"#;

#[test]
fn idle_sessions_expire_but_not_in_a_memory_that_ignores_their_ttl() {
    drill_text(IDLE, &[]).expect(0);
    let done = drill_text(IDLE, &["--set", "store.defect=memory-ignores-ttl"]).expect(1);
    assert_eq!(done.check("ttl"), "invalid");
}

const CUT: &str = r#"
name  = "drilled"
about = "The connection is cut while sessions are being made: none is left without a lifetime."
[store]
policy = "fail-fast"
[[load]]
rate     = "200/s"
for      = "4s"
sessions = 50
payload  = "1KB"
mix      = { create = 1, read = 1 }
[[fault]]
kind    = "proxy.latency"
latency = "20ms"
at      = "500ms"
for     = "2s"
[[fault]]
kind = "proxy.down"
at   = "1500ms"
for  = "500ms"
[checks]
immortal-keys = "valid"
"#;

#[test]
fn a_cut_between_two_commands_leaves_no_immortal_key_unless_a_session_is_made_by_several() {
    drill_text(CUT, &[]).expect(0);
    let done = drill_text(CUT, &["--set", "store.defect=pipeline-not-atomic"]).expect(1);
    assert_eq!(done.check("immortal-keys"), "invalid");
}

const LISTED: &str = r#"
name  = "drilled"
about = "Of a user's many sessions all but the oldest expire: these are still in the list."
sessions_per_user = 400
[store]
ttl = "2s"
[[load]]
rate     = "400/s"
for      = "5s"
sessions = 800
payload  = "1KB"
keys     = { hotspot = { sessions = "5%", operations = "100%" } }
mix      = { read = 8, list = 1, count = 1 }
[checks]
user-index = "valid"
ttl        = "valid"
[gates]
"redis.keys-commands" = "= 0"
"all.list.errors"     = "= 0%"
"all.count.errors"    = "= 0%"
"#;

#[test]
fn a_list_shows_the_living_but_not_where_the_dead_take_their_places() {
    drill_text(LISTED, &[]).expect(0);
    let done = drill_text(LISTED, &["--set", "store.defect=list-counts-expired"]).expect(1);
    let wrong: Vec<String> = done
        .run()
        .checks
        .iter()
        .filter(|check| check.verdict.name() != "valid")
        .map(|check| check.name.clone())
        .collect();
    assert_eq!(wrong, ["user-index"]);
}

#[test]
fn sessions_are_counted_without_blocking_redis_but_not_by_keys() {
    let done = drill_text(LISTED, &["--set", "store.defect=count-by-keys"]).expect(1);
    let failed: Vec<String> =
        done.run().gates.iter().filter(|gate| gate.verdict.name() == "fail").map(|gate| gate.name.clone()).collect();
    assert_eq!(failed, ["redis.keys-commands"]);
}

#[test]
fn a_store_that_gives_up_reconnecting_never_recovers() {
    // The sound store recovers from the same outage: `scenarios.rs`.
    let run = drill("redis-outage", &["--set", "store.defect=gives-up"]).expect(1).run();
    assert!(run.reasons.iter().any(|reason| reason.starts_with("gate recovery")), "{:?}", run.reasons);
}

#[test]
fn a_half_open_breaker_probes_one_call_at_a_time_unless_it_lets_everybody_through() {
    // Connections are made, and calls end by their deadlines: whoever was let through meanwhile has stampeded.
    let slow = r#"fault=[{ kind = "proxy.latency", latency = "600ms", at = "3s", for = "4s" }]"#;
    drill("breaker-recovery", &["--set", slow]).expect(0);
    let run = drill("breaker-recovery", &["--set", slow, "--set", "store.defect=half-open-stampede"]).expect(1).run();
    assert!(run.reasons.iter().any(|reason| reason.starts_with("gate breaker.probes")), "{:?}", run.reasons);
}
