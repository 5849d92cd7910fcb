//! What the command rejects about drills of session-server before it starts anything.

use crate::support::drill_text;

const SHORT: &str = include_str!("../drills/texts/application.toml");
const SESSION_SERVER: [&str; 2] = ["--app", "session-server"];

#[test]
fn without_a_session_server_there_is_no_drill_and_a_way_to_get_one() {
    let elsewhere = ["--session-server", "/nonexistent/session-server"];
    let done = drill_text(SHORT, &[SESSION_SERVER, elsewhere].concat()).expect(4);
    assert!(done.stderr.contains("cargo build") && done.stderr.contains("--session-server"), "{}", done.stderr);
}

#[test]
fn what_session_server_cannot_do_is_refused_with_its_place() {
    for (change, message) in [
        ("load.0.mix={ create = 1, read = 1, list = 1 }", "the http target does not support list"),
        ("store.update=compare-and-set", "does not take this setting from the drill"),
        ("store.ttl=1500ms", "whole seconds"),
        ("store.timeout=1500us", "whole milliseconds"),
        ("store.defect=forgets-ttl", "has no place for a planted defect"),
        ("store.encryption={ rotate-at = \"1s\" }", "takes its key at its start"),
        ("deploy=[{ at = \"1s\", policy = \"memory\" }]", "keeps the settings that it started with"),
        ("fault=[{ kind = \"clock.skew\", at = \"1s\", for = \"1s\", by = \"5s\" }]", "the time of its machine"),
    ] {
        let done = drill_text(SHORT, &[SESSION_SERVER, ["--set", change]].concat()).expect(2);
        assert!(done.stderr.contains(message) && done.stderr.contains("here"), "{change}: {}", done.stderr);
    }
}

#[test]
fn what_the_former_app_target_was_is_said() {
    let done = drill_text(&SHORT.replace("\"http\"", "\"app\""), &[]).expect(2);
    assert!(done.stderr.contains("session-server is an application like any other"), "{}", done.stderr);
    let fault = "\n[[fault]]\nkind = \"app.kill\"\nat = \"1s\"\nfor = \"1s\"\n";
    let done = drill_text(&format!("{SHORT}{fault}"), &["--set", "target.kind=store"]).expect(2);
    assert!(done.stderr.contains("does not run in its own process"), "{}", done.stderr);
}
