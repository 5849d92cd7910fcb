//! The tests' own scenarios, in `texts/`: planted defects and verdicts that no shipped scenario covers.

use super::row::Failure::{Check, Gate};
use super::row::{INCONCLUSIVE, Row, own};
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
        text!("awards")
            .passes("fail_fast_pays_once_too", &["store.policy=fail-fast"])
            .fails("claimed_by_reading_and_writing", &["store.defect=award-twice"], &[Check("double-award")])
            .shows(|done| {
                let run = done.run();
                let paid = run.checks.iter().find(|check| check.name == "double-award").unwrap();
                assert!(paid.samples.iter().all(|sample| sample.text.contains("the reward is award")), "{paid:?}");
            }),
        text!("bad-values").fails(
            "delete_parses_the_value_first",
            &["store.defect=delete-parses-first"],
            &[Gate("during.destroy.errors")],
        ),
        text!("idle-in-memory").fails(
            "a_memory_that_ignores_the_ttl",
            &["store.defect=memory-ignores-ttl"],
            &[Check("ttl")],
        ),
        text!("cut-while-creating").fails(
            "a_session_made_by_several_commands",
            &["store.defect=pipeline-not-atomic"],
            &[Check("immortal-keys")],
        ),
        // If a store in this process blocks the load's threads, the delay is the store's fault, not the generator's.
        text!("steady-reads").fails(
            "it_blocks_its_executor",
            &["store.defect=blocks-its-executor"],
            &[Gate("all.p90")],
        ),
        text!("listed-and-counted")
            .fails_only(
                "the_dead_take_the_places_of_the_living",
                &["store.defect=list-counts-expired"],
                &[Check("user-index")],
            )
            .fails_only("counted_by_keys", &["store.defect=count-by-keys"], &[Gate("redis.keys-commands")]),
    ]
}

fn encryption() -> Vec<Row> {
    vec![
        text!("spoilt-ciphertexts")
            .set("gates={\"during.errors\"=\">= 5%\"}")
            .shows(|done| {
                let run = done.run();
                assert!(run.faults[0].bit, "{:?}", run.faults);
                assert!(run.fallback.activations.is_empty(), "{:?}", run.fallback);
            })
            .fails(
                "what_does_not_decrypt_is_an_empty_session",
                &["store.defect=undecryptable-is-empty"],
                &[Check("lost-writes"), Check("read-your-writes"), Check("monotonic-reads")],
            ),
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
            .fails(
                "under_silent_cache_what_it_dropped_is_counted",
                &[AWAY, STEADY, "store.policy=silent-cache"],
                &[Check("lost-writes")],
            )
            .shows(|done| assert!(done.run().store.dropped > 0, "{}", done.stdout)),
    ]
}

const STEADY: &str = r#"steady={ for = "500ms" }"#;
const STANDS_STILL: &str = r#"fault=[{ kind = "app.stop", at = "1s", for = "1s" }]"#;
const AWAY: &str = r#"fault=[{ kind = "proxy.down", at = "1s", for = "1s" }]"#;
const SHORTLY_AWAY: &str = r#"fault=[{ kind = "proxy.down", at = "1s", for = "500ms" }]"#;
const AWAY_AND_KILLED: &str =
    r#"fault=[{ kind = "proxy.down", at = "1s", for = "2s" }, { kind = "app.kill", at = "2s", for = "300ms" }]"#;
