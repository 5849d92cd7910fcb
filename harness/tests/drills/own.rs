//! The tests' own scenarios, in `texts/`, for verdicts that no shipped scenario covers, and closer looks at planted defects.

use super::defects::text;
use super::row::Failure::{Check, Gate};
use super::row::{Failure, INCONCLUSIVE, Row, own};
use crate::support::drill::FinishedDrill;

/// A text in `texts/`, by its name.
macro_rules! text {
    ($name:literal) => {
        own($name, include_str!(concat!("texts/", $name, ".toml")))
    };
}

/// All rows.
pub fn rows() -> Vec<Row> {
    let mut rows = planted_defects();
    rows.extend(encryption());
    rows.extend(verdicts());
    rows.extend(application());
    rows
}

fn planted_defects() -> Vec<Row> {
    vec![
        text("awards")
            .passes("fail_fast_pays_once_too", &["store.policy=fail-fast"])
            .fails("claimed_by_reading_and_writing", &["store.defect=award-twice"], &[Check("double-award")])
            .shows(|done| {
                let run = done.run();
                let paid = run.checks.iter().find(|check| check.name == "double-award").unwrap();
                assert!(paid.samples.iter().all(|sample| sample.text.contains("the reward is award")), "{paid:?}");
            }),
    ]
}

/// The check of what a drill leaves behind.
const SECRETS: Failure = Check("secrets");

fn encryption() -> Vec<Row> {
    vec![
        text("spoilt-ciphertexts").shows(|done| {
            let run = done.run();
            assert!(run.faults[0].bit, "{:?}", run.faults);
            assert!(run.fallback.activations.is_empty(), "{:?}", run.fallback);
        }),
        text("secret-kept")
            .shows(|done| {
                assert_eq!(done.check("secrets"), "valid", "{}", done.stdout);
                let run = done.run();
                let check = run.checks.iter().find(|check| check.name == "secrets").unwrap();
                assert!(check.examined > 100, "{check:?}");
            })
            .fails_only("the_password_is_in_what_the_store_reports", &["store.defect=leaks-its-password"], &[SECRETS])
            .shows(|done| {
                let run = done.run();
                let places = &run.checks.iter().find(|check| check.name == "secrets").unwrap().samples;
                for place in ["run.json.refusals[0].answer", "report.html, line ", "history."] {
                    assert!(places.iter().any(|sample| sample.text.contains(place)), "{place}: {places:?}");
                }
            })
            .fails_only("a_store_with_keys_encrypts_nothing", &["store.defect=stores-plaintext"], &[SECRETS])
            .shows(|done| assert!(done.stdout.contains("Redis holds sessions in plain text"), "{}", done.stdout)),
        text!("key-rotated")
            .shows(|done| assert!(done.run().fallback.drained.written > 0, "{:?}", done.run().fallback)),
    ]
}

fn reasons_name(done: &FinishedDrill, what: &str) {
    let reasons = done.run().reasons;
    assert!(reasons.iter().any(|reason| reason.contains(what)), "{reasons:?}");
}

fn verdicts() -> Vec<Row> {
    vec![
        text!("drain-cut")
            .shows(|done| {
                let run = done.run();
                let again = run.faults.iter().find(|fault| fault.name == "again").unwrap();
                let before = run.faults.iter().find(|fault| fault.index == 1).unwrap();
                assert!(again.bit && again.onset_ms > before.end_ms && again.planned_for_ms.is_none(), "{again:?}");
                assert!(again.evidence.contains("; the store reported `draining` at "), "{again:?}");
                assert_eq!(again.detail, "15ms after `draining`");
            })
            .fails("degrade_forgets_instead_of_draining", &["store.policy=degrade"], &[Check("lost-writes")])
            .proves_nothing("a_state_that_never_comes_is_a_fault_that_never_bit", &["fault.2.on.nth=99"])
            .shows(|done| reasons_name(done, "never bit: never injected: from 600 ms to ")),
        text!("plain-commands"),
        text!("some-connections").fails("all_connections", &["fault.toxicity=100%"], &[Gate("during.p50")]),
        text!("generator-alone")
            .shows(|done| {
                let run = done.run();
                assert_eq!((run.generator.abandoned, run.generator.dropped), (0, 0), "{:?}", run.generator);
                for checker in ["lost-writes", "read-your-writes", "stale-reads", "isolation"] {
                    assert_eq!(done.check(checker), "valid", "{}", done.stdout);
                }
            })
            .proves_nothing(
                "redis_has_no_part_in_it",
                &[r#"fault=[{ kind = "proxy.down", at = "200ms", for = "300ms" }]"#],
            )
            .shows(|done| reasons_name(done, "never bit")),
        text!("nothing-acknowledged")
            .ends_with(INCONCLUSIVE)
            .shows(|done| reasons_name(done, "no operation of the load was acknowledged")),
        text!("rate-beyond-connections").ends_with(INCONCLUSIVE).shows(|done| reasons_name(done, "generator")),
    ]
}

/// The application in `texts/application.toml`, with these changes.
fn application() -> Vec<Row> {
    vec![
        text!("application")
            .only_changed()
            .set(SESSION_SERVER)
            .passes("it_stands_still_and_runs_on", &[STANDS_STILL, "gates={\"app.memory\"=\"<= 1GiB\"}"])
            .shows(|done| {
                let run = done.run();
                assert!(run.faults[0].bit && run.faults[0].evidence.contains("is stopped"), "{:?}", run.faults);
                assert_eq!(done.check("lost-writes"), "valid");
            })
            .fails(
                "killed_while_redis_is_away_it_loses_what_only_its_memory_held",
                &[AWAY_AND_KILLED, STEADY],
                &[Check("lost-writes")],
            )
            .passes(
                "encrypting_behind_a_breaker_it_pays_each_reward_once",
                &[
                    SHORTLY_AWAY,
                    STEADY,
                    "store={ encryption = true, breaker = { failures = 2, open-for = \"300ms\" } }",
                    "load.0.mix={ create = 1, read = 4, append = 3, award = 2 }",
                ],
            )
            .shows(|done| {
                for checker in ["lost-writes", "double-award"] {
                    assert_eq!(done.check(checker), "valid");
                }
                assert!(done.run().fallback.activations[0].served > 0);
            })
            .passes(
                "it_looks_redis_up_again_when_that_has_another_address",
                &[MOVED, STEADY, "gates={\"during.degraded\"=\"<= 60%\"}"],
            )
            .shows(|done| {
                let fault = &done.run().faults[0];
                let came =
                    fault.evidence.contains("came to the new one") && !fault.evidence.contains("; 0 connections");
                assert!(fault.bit && came, "{fault:?}");
            })
            .fails(
                "under_silent_cache_what_it_dropped_is_counted",
                &[AWAY, STEADY, "store.policy=silent-cache"],
                &[Check("lost-writes")],
            )
            .shows(|done| assert!(done.run().store.dropped > 0, "{}", done.stdout)),
    ]
}

/// Its description, as it is shipped.
const SESSION_SERVER: &str = "--app=session-server";
const STEADY: &str = r#"steady={ for = "500ms" }"#;
const STANDS_STILL: &str = r#"fault=[{ kind = "app.stop", at = "1s", for = "1s" }]"#;
const AWAY: &str = r#"fault=[{ kind = "proxy.down", at = "1s", for = "1s" }]"#;
const MOVED: &str = r#"fault=[{ kind = "dns.moved", at = "1s", for = "1s" }]"#;
const SHORTLY_AWAY: &str = r#"fault=[{ kind = "proxy.down", at = "1s", for = "500ms" }]"#;
const AWAY_AND_KILLED: &str =
    r#"fault=[{ kind = "proxy.down", at = "1s", for = "2s" }, { kind = "app.kill", at = "2s", for = "300ms" }]"#;
