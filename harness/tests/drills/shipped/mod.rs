//! Every shipped scenario: what it must show, and which changes to the store or the lab must fail it.

mod any_app;
mod labs;

use firedrill_reports::run::ResourceSample;

use super::row::Failure::{Check, Gate};
use super::row::{Failure, Row, shipped};
use crate::support::drill::{FinishedDrill, Places};

/// A store that forgets what its fallback held once Redis is back.
const FORGETS: &[&str] = &["store.policy=degrade"];
/// The check that catches it.
const LOST: Failure = Check("lost-writes");

/// Asks for the checker that looks whether a version is given twice.
const VERSIONS: &str = "checks.versions=valid";

/// Enough of an outage of Redis to show what a store does while it lasts. The store may pause for a second before it
/// connects again, and a second without failures must follow within the load.
const SHORT: &str = "load.for=6s";
const SHORT_FAULT: &str = r#"fault=[{ kind = "proxy.down", at = "1s", for = "2s" }]"#;

/// A row for each.
pub fn rows() -> Vec<Row> {
    let mut rows = outages_and_restarts();
    rows.extend(several_stores());
    rows.extend(handing_back());
    rows.extend(what_is_known());
    rows.extend(lifetimes());
    rows.extend(deployments());
    rows.extend(network());
    rows.extend(process());
    rows.extend(server());
    rows.extend(keys_and_time());
    rows.extend(labs::topologies());
    rows.extend(labs::application());
    rows.extend(any_app::rows());
    rows.extend(to_plan_with());
    rows
}

/// Loads for `firedrill capacity`, at their own rates.
fn to_plan_with() -> Vec<Row> {
    vec![
        shipped("capacity-sessions").shows(drained).fails(
            "degrade_loses_what_was_written_in_the_outage",
            FORGETS,
            &[LOST, Gate("fallback.lost")],
        ),
        shipped("capacity-plain").fails(
            "an_outage",
            &[r#"fault=[{ kind = "proxy.down", at = "1s", for = "1s" }]"#],
            &[Gate("all.errors")],
        ),
    ]
}

/// What was written during the fault reached Redis.
fn drained(done: &FinishedDrill) {
    let fallback = done.run().fallback;
    assert!(fallback.drained.written > 0, "{fallback:?}");
}

/// More of what the scenarios of cut connections state than any run has.
const TAKEN_OVER: &str = r#"situations."taken-over.append"=>= 100000"#;

/// The fallback took over what was on its way when the connections were cut.
fn cuts_meet_appends(done: &FinishedDrill) {
    let run = done.run();
    assert!(run.fallback.activations.len() >= 2, "{:?}", run.fallback);
    let reached = |state: &str, op: &str| run.reached.iter().any(|cell| cell.state == state && cell.op == op);
    assert!(reached("fallback active", "append") && reached("connected", "destroy"), "{:?}", run.reached);
    assert!(run.situations.iter().all(|one| one.met), "{:?}", run.situations);
}

/// Nothing failed, and one thing that the scenario states did not happen often enough.
fn one_situation_did_not_occur(done: &FinishedDrill) {
    let run = done.run();
    let unmet: Vec<_> = run.situations.iter().filter(|one| !one.met).collect();
    assert_eq!(unmet.len(), 1, "{:?}", run.situations);
    let expected = format!("the situation did not occur: {}, at least 100000 wanted", unmet[0].found_text);
    assert!(run.reasons.contains(&expected) && done.stdout.contains(&unmet[0].found_text), "{:?}", run.reasons);
}

fn outages_and_restarts() -> Vec<Row> {
    vec![
        shipped("redis-outage")
            .takes(Places::Busy)
            .shows(drained)
            .shows(|done| {
                let run = done.run();
                assert_eq!(run.fallback.activations.len(), 1);
                assert!(run.fallback.activations[0].served > 0 && run.recovery_ms.is_some(), "{:?}", run.fallback);
                let phases: Vec<&str> = run.phases.iter().map(|phase| phase.name.name()).collect();
                assert_eq!(phases, ["before", "during", "recovery", "after"]);
            })
            .fails("degrade_loses_what_was_written_in_the_outage", FORGETS, &[LOST, Gate("fallback.lost")])
            .shows(|done| {
                let run = done.run();
                let lost = run.checks.iter().find(|check| check.name == "lost-writes").unwrap();
                assert!(lost.offences > 0 && !lost.samples.is_empty(), "{lost:?}");
                assert!(lost.samples.iter().all(|sample| !sample.operations.is_empty()), "{lost:?}");
                assert!(done.stdout.contains(&lost.summary), "{}", done.stdout);
                assert!(run.fallback.sessions_lost > 0);
                let explained: u64 = lost.causes.iter().map(|cause| cause.offences).sum();
                assert_eq!(explained, lost.offences, "{:?}", lost.causes);
                let cause = &lost.causes[0];
                assert!(cause.text.starts_with("made by the fallback, dropped at "), "{cause:?}");
                assert!(cause.text.ends_with(" under policy degrade") && !cause.operations.is_empty(), "{cause:?}");
                let impact = run.impact.as_ref().and_then(|impact| impact.lost).unwrap();
                assert_eq!((impact.operations, impact.sessions), (lost.offences, lost.sessions));
                let none_open = |sample: &&ResourceSample| sample.connections_open == Some(0);
                assert!(
                    run.resources.iter().filter(none_open).count() >= 2,
                    "cut off for seconds: {:?}",
                    run.resources
                );
            })
            .fails("a_store_that_gives_up_reconnecting_never_recovers", &["store.defect=gives-up"], &[Gate("recovery")])
            .fails_only(
                "a_store_that_reconnects_without_pause",
                &["store.defect=reconnects-every-millisecond", SHORT, SHORT_FAULT],
                &[Gate("connections.attempts")],
            )
            .fails_only(
                "a_store_that_reports_every_failure",
                &["store.defect=tells-every-failure", SHORT, SHORT_FAULT],
                &[Gate("events.told")],
            ),
        shipped("restart-persistence")
            .takes(Places::Busy)
            .fails("snapshots_lose_what_was_written_since_the_last_one", &["lab.redis.persistence=rdb"], &[LOST])
            // Every operation succeeds in the end, and `during.max` has room for the whole outage.
            .fails_only(
                "calls_that_wait_for_redis_to_return_outlast_their_deadline",
                &["store.defect=waits-past-its-deadline", "load.for=7s", "load.rate=50/s", "fault.at=2s"],
                &[Gate("calls.longest")],
            ),
        shipped("concurrent-writes")
            .passes(
                "compare_and_set_is_as_good",
                &["store.update=compare-and-set", "load.for=4s", "load.sessions=8", VERSIONS],
            )
            .fails("read_modify_write_loses_updates_by_name", &["store.update=read-modify-write"], &[LOST])
            .shows(|done| {
                let run = done.run();
                let lost = run.checks.iter().find(|check| check.name == "lost-writes").unwrap();
                assert!(lost.samples.iter().all(|sample| sample.text.contains("append")), "{:?}", lost.samples);
            })
            .proves_nothing(
                "too_few_writes_at_once_prove_nothing",
                &["load.for=2s", r#"situations."concurrent-writes"=>= 100000"#],
            )
            .shows(one_situation_did_not_occur)
            .fails(
                "answers_that_are_cached_for_200_ms_are_stale",
                &["store.defect=caches-reads", "load.for=2s"],
                &[Check("stale-reads")],
            )
            .fails_only(
                "a_version_that_is_guessed_is_given_twice",
                &["store.defect=guesses-version", "load.for=2s", VERSIONS],
                &[Check("versions")],
            ),
        shipped("two-outages")
            .shows(|done| {
                let activations = done.run().fallback.activations;
                assert_eq!(activations.len(), 2);
                assert!(activations.iter().all(|one| one.served > 0 && one.ended_ms.is_some()), "{activations:?}");
            })
            .fails("degrade_loses_what_was_written_in_them", FORGETS, &[LOST, Gate("fallback.lost")])
            .proves_nothing(
                "too_few_writes_in_the_outages_prove_nothing",
                &[r#"situations."degraded.append"=>= 100000"#],
            )
            .shows(one_situation_did_not_occur),
        shipped("session-renewal")
            .shows(drained)
            .fails("a_renewal_that_copies_leaves_the_old_id", &["store.defect=keeps-the-old-id"], &[Check("renewals")])
            .fails("degrade_has_the_old_ids_again", FORGETS, &[Check("renewals"), LOST, Gate("fallback.lost")]),
        shipped("breaker-recovery")
            .shows(|done| {
                let store = done.run().store;
                assert_eq!(store.breaker.len(), 1, "{store:?}");
                assert!(store.breaker[0].closed_ms.is_some() && store.breaker[0].probes >= 1, "{store:?}");
                assert!(done.stdout.contains("circuit breaker open"), "{}", done.stdout);
            })
            .fails("a_breaker_that_stays_open_does_not_recover", &["store.breaker.open-for=30s"], &[Gate("recovery")])
            .shows(|done| assert_eq!(done.run().store.breaker[0].closed_ms, None))
            .passes("slow_probes_go_one_at_a_time", &[SLOW_PROBES])
            .fails(
                "half_open_everybody_is_let_through",
                &[SLOW_PROBES, "store.defect=half-open-stampede"],
                &[Gate("breaker.probes"), Gate("breaker.probes-at-once")],
            ),
    ]
}

/// Connections succeed, but calls run into their deadlines: any second call let through is a stampede.
const SLOW_PROBES: &str = r#"fault=[{ kind = "proxy.latency", latency = "600ms", at = "3s", for = "4s" }]"#;

fn several_stores() -> Vec<Row> {
    vec![
        shipped("two-instances")
            .shows(drained)
            .shows(|done| {
                let activations = done.run().fallback.activations;
                assert!(activations.iter().all(|one| one.served > 0 && one.ended_ms.is_some()), "{activations:?}");
            })
            .fails("degrade_loses_what_was_written_in_the_outage", FORGETS, &[LOST, Gate("fallback.lost")]),
        shipped("contended-awards").fails(
            "claimed_by_reading_and_writing",
            &["store.defect=award-twice"],
            &[Check("double-award")],
        ),
    ]
}

fn handing_back() -> Vec<Row> {
    vec![
        shipped("drain-interrupted").shows(drained).fails("degrade_forgets", FORGETS, &[LOST, Gate("fallback.lost")]),
        shipped("drain-slow").shows(drained).fails("degrade_forgets", FORGETS, &[LOST, Gate("fallback.lost")]),
        shipped("encrypted-outage").shows(drained).fails("degrade_forgets", FORGETS, &[LOST, Gate("fallback.lost")]),
        shipped("values-swapped").shows(drained).fails(
            "what_does_not_decrypt_is_an_empty_session",
            &["store.defect=undecryptable-is-empty"],
            &[Gate("fault.under-traffic.read.errors")],
        ),
    ]
}

fn what_is_known() -> Vec<Row> {
    vec![
        shipped("outage-short-ttl").shows(drained).fails(
            "degrade_forgets",
            FORGETS,
            &[Check("ttl"), Gate("fallback.lost")],
        ),
        shipped("outage-small-warm").shows(drained).fails(
            "dual_write_denies_what_it_does_not_know",
            &["store.policy=dual-write"],
            &[Gate("all.missing")],
        ),
        shipped("memory-fills").shows(drained).fails("degrade_forgets", FORGETS, &[LOST, Gate("fallback.lost")]),
        shipped("writes-to-the-dead").shows(drained).fails(
            "a_store_that_forgets_the_ttl_keeps_the_dead",
            &["store.defect=forgets-ttl"],
            &[Check("ttl"), Check("immortal-keys")],
        ),
        shipped("listings-over-limit").fails(
            "the_dead_take_the_places_of_the_living",
            &["store.defect=list-counts-expired"],
            &[Check("user-index")],
        ),
    ]
}

fn lifetimes() -> Vec<Row> {
    let forgets = &["store.defect=forgets-ttl"];
    vec![
        shipped("ttl-expiry").fails("a_store_that_forgets_the_ttl", forgets, &[Check("ttl"), Check("immortal-keys")]),
        shipped("ttl-jump").fails("a_store_that_forgets_the_ttl", forgets, &[Check("ttl"), Check("immortal-keys")]),
        shipped("memory-cleanup")
            // Reads that find nothing do not prove that memory is free: no check notices.
            .fails_only("nobody_cleans_up", &["store.defect=never-cleans-up"], &[Gate("sessions.held")])
            .passes("under_memory", &["store.policy=memory"])
            .fails_only(
                "nobody_cleans_up_under_memory",
                &["store.policy=memory", "store.defect=never-cleans-up"],
                &[Gate("sessions.held")],
            ),
    ]
}

fn deployments() -> Vec<Row> {
    vec![
        shipped("rollback")
            .shows(|done| {
                let run = done.run();
                assert_eq!(run.store.deploys.len(), 2);
                assert!(run.store.missing.reads > 0 && run.fallback.sessions_lost > 0, "{:?}", run.store);
            })
            .fails("it_lasts_too_long", &["deploy.1.at=9500ms"], &[Gate("missing.for")]),
        shipped("migration-direct")
            .shows(|done| assert!(done.run().fallback.sessions_lost >= 200, "{:?}", done.run().fallback))
            .fails("dual_write_loses_nothing_to_count", &["deploy.0.policy=dual-write"], &[Gate("fallback.lost")]),
        shipped("migration-dual-write")
            .shows(|done| {
                let run = done.run();
                assert!(run.store.carried_over.written >= 200, "{:?}", run.store);
                assert_eq!((run.store.missing.reads, run.fallback.sessions_lost), (0, 0));
            })
            .fails("straight_to_redis_loses_what_memory_held", &["deploy.0.policy=drain"], &[LOST]),
    ]
}

/// A scenario with a single kind of outage, which loses nothing acknowledged unless the store forgets its fallback.
fn outage(name: &'static str) -> Row {
    let every_time = |done: &FinishedDrill| {
        let run = done.run();
        assert!(run.fallback.activations.len() >= run.faults.len(), "{:?}", run.fallback);
    };
    shipped(name).shows(every_time).fails(
        "degrade_loses_what_was_written_meanwhile",
        FORGETS,
        &[LOST, Gate("fallback.lost")],
    )
}

fn network() -> Vec<Row> {
    vec![
        shipped("redis-latency").fails(
            "a_latency_beyond_the_deadline_degrades",
            &["fault.latency=5s"],
            &[Gate("all.degraded")],
        ),
        outage("redis-blackhole").passes(
            "health_answers_within_its_deadline",
            &[
                "load.mix.health=2",
                "gates.\"during.health.p90\"=<= 2s",
                "gates.\"during.health.errors\"== 0%",
                "gates.\"during.health.degraded\"=>= 50%",
            ],
        ),
        shipped("redis-resets")
            .shows(cuts_meet_appends)
            .fails("degrade_loses_what_was_written_meanwhile", FORGETS, &[LOST, Gate("fallback.lost")])
            .proves_nothing("too_few_appends_on_their_way_prove_nothing", &[TAKEN_OVER])
            .shows(one_situation_did_not_occur),
        // Redis is away only for moments, so only sessions created in between are certainly lost.
        shipped("torn-replies").fails("degrade_forgets_sessions", FORGETS, &[LOST, Gate("fallback.lost")]),
        shipped("lost-replies")
            .passes(
                "fail_fast_says_so_and_loses_nothing",
                &[
                    "store.policy=fail-fast",
                    "gates.\"during.errors\"=<= 98%",
                    "gates.\"fallback.activations\"== 0",
                    r#"situations={ "unknown.append" = ">= 4" }"#,
                ],
            )
            .fails("degrade_forgets_sessions", FORGETS, &[LOST])
            .proves_nothing("too_few_lost_replies_prove_nothing", &[TAKEN_OVER])
            .shows(one_situation_did_not_occur),
        shipped("slow-line"),
        outage("connect-hangs"),
        shipped("half-open").fails(
            "fail_fast_fails_what_was_under_way",
            &["store.policy=fail-fast"],
            &[Gate("during.errors")],
        ),
        outage("flapping-network"),
    ]
}

fn process() -> Vec<Row> {
    vec![
        outage("redis-stopped"),
        shipped("data-lost").shows(loses).fails(
            "with_its_data_kept_there_is_no_loss_to_count",
            &["fault.data=keep"],
            &[Gate("checks.lost-writes.offences")],
        ),
        // What everysec loses depends on timing; what is lost without any fsync depends on the byte at which the file
        // is cut.
        shipped("power-loss")
            .shows(loses)
            .fails(
                "without_any_fsync_acknowledged_writes_are_lost",
                &["lab.redis.persistence=aof-no", "gates.\"checks.lost-writes.offences\"== 0"],
                &[Gate("checks.lost-writes.offences")],
            )
            .passes(
                "what_was_synced_before_it_was_acknowledged_is_kept",
                &["lab.redis.persistence=aof-always", "gates.\"checks.lost-writes.offences\"== 0"],
            ),
        outage("disk-full"),
        outage("slow-start"),
    ]
}

fn loses(done: &FinishedDrill) {
    assert_eq!(done.check("lost-writes"), "invalid", "{}", done.stdout);
}

fn server() -> Vec<Row> {
    vec![
        outage("failover-readonly").fails(
            "fail_fast_refuses_what_it_cannot_write",
            &["store.policy=fail-fast"],
            &[Gate("during.errors")],
        ),
        outage("replicas-missing"),
        outage("out-of-memory").shows(|done| {
            let refusals = done.run().refusals;
            assert!(
                refusals.iter().any(|refusal| refusal.answer.starts_with("OOM command not allowed")),
                "{refusals:?}"
            );
        }),
        outage("password-changed").passes(
            "read_only_keeps_reads_alive_and_loses_nothing",
            &[
                "store.policy=read-only",
                "gates.\"during.errors\"=<= 80%",
                "gates.\"during.append.errors\"=>= 50%",
                "gates.\"during.read.degraded\"=>= 50%",
            ],
        ),
        shipped("password-rotated")
            .shows(|done| {
                let fault = &done.run().faults[0];
                assert!(fault.evidence.contains("only the new password logs in"), "{fault:?}");
            })
            .passes("the_overlap_outlasts_a_store_that_is_not_told", &["fault.overlap=3s", "fault.told=false"])
            .fails("a_store_that_is_not_told_is_locked_out", &["fault.told=false"], &[Gate("during.degraded")]),
        outage("no-more-connections"),
        outage("connections-killed"),
        outage("redis-paused"),
        shipped("slow-commands"),
        shipped("idle-connections"),
        shipped("address-moved").fails(
            "a_name_that_leads_nowhere_is_an_outage_in_which_degrade_forgets",
            &["fault.kind=dns.fails", "store.policy=degrade"],
            &[LOST],
        ),
        shipped("scripts-forgotten"),
        shipped("eviction").shows(loses),
    ]
}

fn keys_and_time() -> Vec<Row> {
    vec![
        shipped("keys-deleted").shows(loses),
        shipped("keys-corrupted"),
        shipped("clock-skew").shows(|done| assert_eq!(done.check("ttl"), "valid")),
    ]
}
