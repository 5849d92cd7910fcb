//! What the command rejects about drills of an application before it starts anything.

use crate::support::drill_text;

const SHORT: &str = include_str!("../drills/texts/application.toml");

#[test]
fn without_a_session_server_there_is_no_drill_and_a_way_to_get_one() {
    let done = drill_text(SHORT, &["--session-server", "/nonexistent/session-server"]).expect(4);
    assert!(done.stderr.contains("cargo build") && done.stderr.contains("--session-server"), "{}", done.stderr);
}

#[test]
fn what_an_application_cannot_do_is_refused_with_its_place() {
    for (change, message) in [
        ("load.0.mix={ read = 1, touch = 1 }", "the app target does not support touch"),
        ("store.update=compare-and-set", "in one way: atomic"),
        ("store.ttl=1500ms", "whole seconds"),
        ("store.defect=forgets-ttl", "has no place for a planted defect"),
        ("store.encryption={ rotate-at = \"1s\" }", "takes its key at its start"),
        ("store.breaker.open-for=2h", "an hour at most"),
        ("deploy=[{ at = \"1s\", policy = \"memory\" }]", "keeps the settings that it started with"),
        ("fault=[{ kind = \"clock.skew\", at = \"1s\", for = \"1s\", by = \"5s\" }]", "the time of its machine"),
    ] {
        let done = drill_text(SHORT, &["--set", change]).expect(2);
        assert!(done.stderr.contains(message) && done.stderr.contains("here"), "{change}: {}", done.stderr);
    }
    let fault = "\n[[fault]]\nkind = \"app.kill\"\nat = \"1s\"\nfor = \"1s\"\n";
    let done = drill_text(&format!("{SHORT}{fault}"), &["--set", "target.kind=store"]).expect(2);
    assert!(done.stderr.contains("does not run in its own process"), "{}", done.stderr);
}
