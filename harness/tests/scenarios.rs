//! Every shipped scenario passes, and fails where it is meant to: on the variant of the store or the lab that breaks
//! what it proves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::{drill, drill_text, drill_text_once};

#[test]
fn redis_outage_passes_with_the_default_policy() {
    let done = drill("redis-outage", &[]).expect(0);
    let run = done.run();
    assert_eq!(run.fallback.activations.len(), 1);
    assert!(run.fallback.activations[0].served > 0);
    assert!(run.fallback.drained.written > 0, "{:?}", run.fallback);
    assert!(run.faults[0].bit);
    assert!(run.recovery_ms.is_some());
    let phases: Vec<&str> = run.phases.iter().map(|phase| phase.name.name()).collect();
    assert_eq!(phases, ["before", "during", "recovery", "after"]);
}

#[test]
fn redis_outage_says_what_degrade_loses() {
    let done = drill("redis-outage", &["--set", "store.policy=degrade"]).expect(1);
    let run = done.run();
    let lost = run.checks.iter().find(|check| check.name == "lost-answers").unwrap();
    assert_eq!(lost.verdict.name(), "invalid");
    assert!(lost.offences > 0);
    assert!(!lost.samples.is_empty() && lost.samples.iter().all(|sample| !sample.operations.is_empty()));
    assert!(done.stdout.contains(&lost.summary), "{}", done.stdout);
    assert!(run.fallback.sessions_lost > 0);
}

#[test]
fn restart_persistence_passes_on_the_append_only_file() {
    let done = drill("restart-persistence", &[]).expect(0);
    assert_eq!(done.check("lost-answers"), "valid");
}

#[test]
fn restart_persistence_fails_on_snapshots() {
    let done = drill("restart-persistence", &["--set", "lab.redis.persistence=rdb"]).expect(1);
    assert_eq!(done.check("lost-answers"), "invalid");
}

#[test]
fn ttl_expiry_passes() {
    let done = drill("ttl-expiry", &[]).expect(0);
    assert_eq!((done.check("ttl"), done.check("immortal-keys")), ("valid".to_owned(), "valid".to_owned()));
}

#[test]
fn ttl_expiry_fails_on_a_store_that_forgets_the_ttl() {
    let done = drill("ttl-expiry", &["--set", "store.defect=forgets-ttl"]).expect(1);
    assert_eq!(done.check("immortal-keys"), "invalid");
    assert_eq!(done.check("ttl"), "invalid");
}

#[test]
fn ttl_jump_passes() {
    let done = drill("ttl-jump", &[]).expect(0);
    assert!(done.run().faults.iter().all(|fault| fault.bit));
    assert_eq!((done.check("ttl"), done.check("immortal-keys")), ("valid".to_owned(), "valid".to_owned()));
}

#[test]
fn ttl_jump_fails_on_a_store_that_forgets_the_ttl() {
    let done = drill("ttl-jump", &["--set", "store.defect=forgets-ttl"]).expect(1);
    assert_eq!(done.check("immortal-keys"), "invalid");
    assert_eq!(done.check("ttl"), "invalid");
}

#[test]
fn concurrent_writes_passes_with_atomic_appends_and_with_compare_and_set() {
    drill("concurrent-writes", &[]).expect(0);
    drill("concurrent-writes", &["--set", "store.update=compare-and-set", "--set", "load.for=4s"]).expect(0);
}

#[test]
fn concurrent_writes_names_the_updates_that_read_modify_write_loses() {
    let done = drill("concurrent-writes", &["--set", "store.update=read-modify-write"]).expect(1);
    let run = done.run();
    let lost = run.checks.iter().find(|check| check.name == "lost-answers").unwrap();
    assert_eq!(lost.verdict.name(), "invalid");
    assert!(lost.samples.iter().all(|sample| sample.text.contains("append")), "{:?}", lost.samples);
}

#[test]
fn a_fault_after_the_end_of_the_load_is_inconclusive() {
    let done = drill("redis-outage", &["--set", "load.for=3s", "--set", "fault.at=60s"]).expect(3);
    let run = done.run();
    assert!(!run.faults[0].bit);
    assert!(run.reasons.iter().any(|reason| reason.contains("never bit")), "{:?}", run.reasons);
}

#[test]
fn a_drill_in_which_nothing_was_acknowledged_is_inconclusive() {
    let done = drill_text(
        r#"
name  = "drilled"
about = "Redis is away for the whole load, and no gate says that it matters."
[store]
policy = "fail-fast"
[[load]]
rate     = "100/s"
for      = "2s"
at       = "1s"
sessions = 20
payload  = "1KB"
[[fault]]
kind = "proxy.down"
at   = "500ms"
for  = "60s"
"#,
        &[],
    )
    .expect(3);
    let reasons = done.run().reasons;
    assert!(reasons.iter().any(|reason| reason.contains("no operation of the load was acknowledged")), "{reasons:?}");
}

#[test]
fn a_rate_that_the_generator_cannot_deliver_is_inconclusive() {
    let done = drill_text_once(
        r#"
name  = "drilled"
about = "More than two connections can carry."
[target]
connections = 2
[[load]]
rate     = "40000/s"
for      = "3s"
sessions = 20
mix      = { read = 1 }
"#,
    )
    .expect(3);
    assert!(done.run().reasons.iter().any(|reason| reason.contains("generator")), "{:?}", done.run().reasons);
}

#[test]
fn a_drill_without_faults_on_the_redis_target_passes() {
    let done = drill_text(
        r#"
name  = "drilled"
about = "Plain GET and SET."
[target]
kind        = "redis"
connections = 16
[[load]]
rate     = "1000/s"
for      = "3s"
sessions = 100
payload  = "1KiB"
mix      = { put = 1, read = 9 }
[checks]
isolation = "valid"
[gates]
"all.errors" = "= 0%"
"all.rate"   = ">= 900/s"
"#,
        &[],
    );
    done.expect(0);
}

#[test]
fn two_outages_are_two_activations_and_degrade_loses_what_was_answered_in_them() {
    let run = drill("two-outages", &[]).expect(0).run();
    assert_eq!(run.fallback.activations.len(), 2);
    assert!(run.fallback.activations.iter().all(|one| one.served > 0 && one.ended_ms.is_some()), "{:?}", run.fallback);
    let done = drill("two-outages", &["--set", "store.policy=degrade"]).expect(1);
    assert_eq!(done.check("lost-answers"), "invalid");
}

#[test]
fn breaker_recovery_closes_by_probes_and_fails_where_it_stays_open() {
    let done = drill("breaker-recovery", &[]).expect(0);
    let store = done.run().store;
    assert_eq!(store.breaker.len(), 1, "{store:?}");
    assert!(store.breaker[0].closed_ms.is_some() && store.breaker[0].probes >= 1, "{store:?}");
    assert!(done.stdout.contains("circuit breaker open"), "{}", done.stdout);
    let open = drill("breaker-recovery", &["--set", "store.breaker.open-for=30s"]).expect(1).run();
    assert_eq!(open.store.breaker[0].closed_ms, None);
    assert!(open.reasons.iter().any(|reason| reason.contains("recovery")), "{:?}", open.reasons);
}

#[test]
fn rollback_tells_what_is_missing_for_how_long_and_what_is_lost_and_fails_where_it_lasts() {
    let run = drill("rollback", &[]).expect(0).run();
    assert_eq!(run.store.deploys.len(), 2);
    assert!(run.store.missing.reads > 0 && run.fallback.sessions_lost > 0, "{:?}", run.store);
    let run = drill("rollback", &["--set", "deploy.1.at=9500ms"]).expect(1).run();
    assert!(run.reasons.iter().any(|reason| reason.contains("missing.for")), "{:?}", run.reasons);
}

#[test]
fn migration_direct_counts_the_sessions_it_loses_and_dual_write_loses_none() {
    let run = drill("migration-direct", &[]).expect(0).run();
    assert!(run.fallback.sessions_lost >= 200, "{:?}", run.fallback);
    let run = drill("migration-dual-write", &[]).expect(0).run();
    assert!(run.store.carried_over.written >= 200, "{:?}", run.store);
    assert_eq!((run.store.missing.reads, run.fallback.sessions_lost), (0, 0));
}

#[test]
fn the_migrations_fail_where_they_are_done_the_other_way() {
    let lossless = drill("migration-direct", &["--set", "deploy.0.policy=dual-write"]).expect(1).run();
    assert!(lossless.reasons.iter().any(|reason| reason.contains("fallback.lost")), "{:?}", lossless.reasons);
    let lossy = drill("migration-dual-write", &["--set", "deploy.0.policy=drain"]).expect(1);
    assert_eq!(lossy.check("lost-answers"), "invalid");
}
