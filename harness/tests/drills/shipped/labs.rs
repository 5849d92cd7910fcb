//! The shipped scenarios of several servers and of the application.

use super::super::row::Failure::{Check, Gate};
use super::super::row::{Row, shipped};
use super::any_app::SHOP;
use super::{FORGETS, LOST, drained};
use crate::support::drill::{FinishedDrill, Places};

pub fn topologies() -> Vec<Row> {
    // With one primary and a replica nothing takes over, and a load shorter than the shipped one shows it as well.
    let alone: &[&str] = &["lab.topology=replica", "load.for=6s", "fault.for=3s"];
    let nobody = "without_anybody_who_takes_over_the_store_waits";
    let by = &[Gate("during.degraded")];
    // Where nothing happens to the store, only a store that is wrong at any time fails.
    let mixed_up = "replies_that_reach_the_wrong_caller_are_noticed";
    let mixes_up: &[&str] = &["store.defect=answers-the-wrong-caller"];
    let group = |row: Row| row.takes(Places::Group);
    vec![
        group(shipped("replica-promoted").shows(drained).fails("degrade_loses_writes", FORGETS, &[LOST])),
        group(shipped("sentinel-failover").shows(drained).fails(nobody, alone, by)),
        group(shipped("planned-failover").fails(mixed_up, mixes_up, &[Check("isolation")])),
        group(shipped("sentinels-lost").fails(mixed_up, mixes_up, &[Check("isolation")])),
        group(shipped("sentinel-partition").shows(drained).fails(nobody, alone, by)),
        group(shipped("cluster-failover").shows(drained).fails(nobody, alone, by)),
        group(shipped("cluster-maintenance").fails(mixed_up, mixes_up, &[Check("isolation")])),
        group(
            shipped("cluster-migration")
                .shows(|done| {
                    let fault = &done.run().faults[0];
                    assert!(fault.evidence.contains(" slots moved with "), "{fault:?}");
                })
                .fails(
                    "slots_half_moved_for_longer_than_a_deadline_are_noticed",
                    &["fault.delay=5s"],
                    &[Gate("fallback.activations")],
                )
                .shows(|done| assert!(done.run().faults[0].bit, "{:?}", done.run().faults)),
        ),
        group(shipped("cluster-partition").fails("degrade_loses_writes", FORGETS, &[LOST, Gate("fallback.lost")])),
        shipped("tls-acl").fails("degrade_loses_what_was_written_in_the_outage", FORGETS, &[LOST]).fails(
            "a_store_that_gives_up_reconnecting_never_recovers",
            &["store.defect=gives-up"],
            &[Gate("recovery")],
        ),
        shipped("certificate-expired")
            .shows(drained)
            .fails("degrade_forgets_what_it_took_over", FORGETS, &[LOST])
            .passes(
                "a_renewed_certificate_is_met_after_a_moment",
                &[
                    "fault.presents=renewed",
                    "situations={}",
                    "gates.\"fallback.activations\"=>= 0",
                    "gates.\"during.degraded\"=<= 25%",
                ],
            ),
        shipped("tls-impostor")
            .shows(drained)
            .shows(|done| {
                let faults = done.run().faults;
                assert!(faults[0].evidence.ends_with("none trusted it"), "{faults:?}");
            })
            // Everything else looks fine: only the count of deceived connections fails it.
            .fails_only(
                "a_store_that_verifies_no_certificate_is_taken_in",
                &["store.defect=tls-unverified"],
                &[Gate("impostor.trusted")],
            )
            .shows(|done| {
                let run = done.run();
                assert!(run.faults[0].evidence.contains("trusted it and sent it"), "{:?}", run.faults);
                assert!(run.checks.iter().all(|check| check.verdict.name() == "valid"), "{:?}", run.checks);
            }),
    ]
}

pub fn application() -> Vec<Row> {
    vec![
        shipped("app-killed-after-outage")
            .shows(drained)
            .shows(|done| {
                let run = done.run();
                assert!(run.faults[1].evidence.contains("the application (pid "), "{}", run.faults[1].evidence);
                assert!(run.fallback.activations[0].served > 0, "{:?}", run.fallback);
                let log = std::fs::read_to_string(done.dir().join("app.log")).unwrap();
                assert!(!log.is_empty());
                assert!(run.files.iter().any(|file| file.name == "app.log"));
                assert_eq!(done.check("isolation"), "valid");
                let errors = run.gates.iter().find(|gate| gate.name == "during.errors").unwrap();
                assert!(errors.actual.is_some_and(|share| share < 0.3), "only while it is dead: {errors:?}");
                let dead = run.resources.iter().any(|sample| sample.process_rss_bytes.is_none());
                assert!(dead, "the process was dead for a second");
            })
            // It says nothing of a fallback: what the scenario asks about that is left out.
            .passes("the_shop", &[SHOP])
            .shows(|done| {
                assert!(done.run().gates.iter().all(|gate| !gate.name.starts_with("fallback.")), "{}", done.stdout)
            })
            .fails("degrade_loses_what_was_written_in_the_outage", FORGETS, &[LOST])
            .shows(|done| {
                let run = done.run();
                let lost = run.checks.iter().find(|check| check.name == "lost-writes").unwrap();
                assert!(lost.samples.iter().any(|sample| sample.text.contains("degraded")), "{:?}", lost.samples);
            }),
        shipped("hundred-users")
            // Latency on a busy machine says nothing about the store, so only the other limits apply here.
            .set("gates.\"all.p95\"=<= 60s")
            .shows(|done| {
                let run = done.run();
                let gate = |name: &str| run.gates.iter().find(|gate| gate.name == name).unwrap().actual;
                assert!(gate("app.memory").is_some_and(|bytes| bytes > 1e6), "{:?}", run.gates);
                assert!(gate("redis.memory").is_some_and(|bytes| bytes > 1e6), "{:?}", run.gates);
                assert!(gate("redis.cpu").is_some_and(|share| share > 0.0), "{:?}", run.gates);
                assert!(run.resources.iter().any(|sample| sample.process_cpu_ms.is_some_and(|ms| ms > 0)));
                assert!(done.stdout.contains("process: at most "), "{}", done.stdout);
            })
            .fails(
                "a_redis_that_is_held_up_fires_the_alert_lines",
                &[r#"fault=[{ kind = "process.stop", at = "3s", for = "1500ms" }]"#, r#"gates."redis.cpu"=<= 0%"#],
                &[Gate("fallback.activations"), Gate("redis.cpu")],
            ),
        latency_claims(),
    ]
}

/// On a busy machine any figure will do: the test requires that each claim is measured, and that it can be refuted.
fn latency_claims() -> Row {
    let generous = [
        "claims.\"connect\"=< 10s",
        "claims.\"redis.read\"=< 10s",
        "claims.\"redis.write\"=< 10s",
        "claims.\"redis.operation\"=< 10s",
        "claims.\"memory.operation\"=< 10s",
        "claims.\"encrypt\"=< 10s",
        "claims.\"decrypt\"=< 10s",
        "claims.\"health.healthy\"=< 10s",
    ];
    let measured = |done: &FinishedDrill| {
        let claims = done.run().claims;
        assert!(claims.len() == 12 && claims.iter().all(|claim| claim.actual.is_some()), "{claims:?}");
    };
    generous.into_iter().fold(shipped("latency-claims").shows(measured), Row::set).fails(
        "a_claim_that_does_not_hold_is_refuted",
        &["claims.\"redis.write\"=< 1us"],
        &[Gate("claims.refuted")],
    )
}
