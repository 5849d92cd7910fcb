//! Drills with encrypted sessions: sound, with a key that changes under load, and with values that do not decrypt.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::drill_text;

const SPOILT: &str = r#"
name  = "drilled"
about = "A third of the encrypted sessions hold garbage for a while; no user may be shown an empty session."
[store]
encryption = true
[[load]]
rate     = "300/s"
for      = "5s"
sessions = 60
payload  = "1KB"
mix      = { read = 6, append = 3 }
[[fault]]
kind  = "keys.corrupt"
share = "33%"
at    = "1500ms"
for   = "1500ms"
[checks]
lost-answers     = "valid"
read-your-writes = "valid"
monotonic-reads  = "valid"
"#;

#[test]
fn a_session_that_does_not_decrypt_is_an_error_and_is_there_again_when_it_is_repaired() {
    let done = drill_text(SPOILT, &["--set", "gates={\"during.errors\"=\">= 5%\"}"]).expect(0);
    let run = done.run();
    assert!(run.faults[0].bit, "{:?}", run.faults);
    assert!(run.fallback.activations.is_empty(), "{:?}", run.fallback);
}

#[test]
fn a_store_that_answers_it_with_an_empty_session_is_caught() {
    let done = drill_text(SPOILT, &["--set", "store.defect=undecryptable-is-empty"]).expect(1);
    for check in ["lost-answers", "read-your-writes", "monotonic-reads"] {
        assert_eq!(done.check(check), "invalid", "{check}");
    }
}

#[test]
fn a_key_changed_under_load_and_through_an_outage_costs_nothing() {
    let done = drill_text(
        r#"
name  = "drilled"
about = "The key is changed while Redis is away; nothing acknowledged may be lost."
[store]
encryption = { rotate-at = "2s" }
[[load]]
rate     = "300/s"
for      = "5s"
sessions = 60
payload  = "5KB"
mix      = { create = 1, read = 6, append = 3, put = 0.3, destroy = 0.2 }
[[fault]]
kind = "proxy.down"
at   = "1500ms"
for  = "1s"
[checks]
lost-answers       = "valid"
duplicated-answers = "valid"
read-your-writes   = "valid"
monotonic-reads    = "valid"
resurrection       = "valid"
isolation          = "valid"
"#,
        &[],
    );
    let run = done.expect(0).run();
    assert!(run.fallback.drained.written > 0, "{:?}", run.fallback);
}
