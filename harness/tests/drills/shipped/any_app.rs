//! The scenarios for any application: with session-server, and with a shop that reads a session and writes it back whole.

use firedrill::history::{History, Note};
use firedrill_storage::Event;

use super::super::row::Failure::{Check, Gate};
use super::super::row::{Row, shipped};

const LOST: super::super::row::Failure = Check("lost-writes");

/// A shop whose sessions are lists in Redis.
pub(super) const SHOP: &str = concat!("--app=", env!("CARGO_MANIFEST_DIR"), "/tests/command/own_app/shop.toml");

/// The shop as most session middleware is.
const WHOLE: &[&str] = &[SHOP, "app.env.UPDATE=whole"];

/// What session-server acknowledges from its memory is lost with the outage.
const DROPS: &[&str] = &["app.env.SESSION_POLICY=degrade"];

/// From then on session-server keeps its sessions in its memory.
const TO_MEMORY: &[&str] = &[r#"deploy=[{ at = "1s", env = { USE_MEMORY_SESSIONS = "true" } }]"#];

/// One row for each.
pub fn rows() -> Vec<Row> {
    vec![
        shipped("app-outage")
            .shows(|done| {
                let notes = History::load(&done.dir().join("history.fdh")).unwrap().0.notes;
                let events = notes.iter().filter_map(|note| match note {
                    Note::Store { event, .. } => Some(event),
                    _ => None,
                });
                let told: Vec<&Event> = events.collect();
                let began = told.iter().any(|event| matches!(event, Event::FallbackStarted { .. }));
                let ended = told.iter().any(|event| matches!(event, Event::FallbackEnded { .. }));
                assert!(began && ended, "{told:?}");
            })
            .passes("the_shop", &[SHOP])
            .fails("writes_of_the_outage_that_are_dropped", DROPS, &[LOST]),
        shipped("capacity-app").fails("writes_of_the_outage_that_are_dropped", DROPS, &[LOST]),
        shipped("app-restart").passes("the_shop", &[SHOP]).fails("sessions_in_memory", TO_MEMORY, &[LOST]).shows(
            |done| {
                let run = done.run();
                let deploy = run.faults.iter().find(|fault| fault.kind == "app.restart").unwrap();
                assert!(deploy.bit && deploy.detail.contains("USE_MEMORY_SESSIONS"), "{deploy:?}");
            },
        ),
        shipped("app-concurrent-writes").passes("the_shop", &[SHOP]).fails(
            "sessions_that_are_written_back_whole",
            WHOLE,
            &[LOST],
        ),
        shipped("app-logout").passes("the_shop", &[SHOP]).fails(
            "sessions_that_are_written_back_whole",
            WHOLE,
            &[Check("resurrection")],
        ),
        shipped("app-expiry").fails("a_longer_lifetime", &["app.env.REDIS_TTL=\"6{{store.ttl}}\""], &[Check("ttl")]),
        shipped("app-rolling-deploy")
            .shows(|done| {
                let restart = &done.run().faults[0];
                assert!(restart.evidence.contains("2 of 2 restarted, after"), "{restart:?}");
                for log in ["app-1.log", "app-2.log"] {
                    assert!(done.dir().join(log).exists(), "{log}");
                }
            })
            .passes("the_shop", &[SHOP])
            .fails("sessions_in_memory", TO_MEMORY, &[LOST]),
        shipped("app-two-instances")
            .passes("the_shop", &[SHOP])
            .fails("writes_of_the_outage_that_are_dropped", DROPS, &[LOST])
            .fails(
                "one_instance_that_dies",
                &[
                    r#"fault=[{ kind = "app.kill", at = "2s", for = "2s", to = [2] }]"#,
                    r#"gates."during.errors"=<= 0%"#,
                ],
                &[Gate("during.errors")],
            )
            .shows(|done| {
                let killed = &done.run().faults[0];
                assert!(killed.evidence.contains("instance 2 of the application"), "{killed:?}");
            }),
    ]
}
