//! Scenarios that are refused before anything runs: each with its reason and its place, all at once, in the text's order.

use super::error::{Invalid, ScenarioError};
use super::parse::parse;
use super::source::Source;

/// A short scenario that is right.
pub(super) const SOUND: &str = include_str!("sound.toml");

fn invalid(text: &str) -> Invalid {
    match parse(&Source { name: "x.toml".to_owned(), text: text.to_owned() }, &[]) {
        Err(ScenarioError::Invalid(error)) => *error,
        other => panic!("expected errors, got {other:?} for {text}"),
    }
}

/// The message of each error, with the text that its caret points at.
fn errors(text: &str) -> Vec<(String, String)> {
    let first = invalid(text);
    let one = |error: &Invalid| {
        let place = error.span.map(|span| text[span.offset()..span.offset() + span.len()].to_owned());
        (error.message.clone(), place.unwrap_or_default())
    };
    std::iter::once(&first).chain(&first.others).map(one).collect()
}

#[test]
fn what_makes_no_sense_is_refused_in_its_place() {
    let load = |keys: &str| SOUND.replace("rate = \"100/s\"\nfor  = \"5s\"", keys);
    for (text, message, place) in [
        (load("rate = \"20000000/s\"\nfor = \"5s\""), "20000000/s is more than a machine can send", "\"20000000/s\""),
        (
            load("users = 3\nrate_cap = \"20000000/s\"\nfor = \"5s\""),
            "20000000/s is more than a machine can send",
            "\"20000000/s\"",
        ),
        (load("rate = \"1/s\"\nfor = \"169h\""), "169h is longer than a drill can last", "\"169h\""),
        (load("rate = \"1/s\"\nfor = \"5s\"\nat = \"169h\""), "169h is longer than a drill can last", "\"169h\""),
        (load("rate = \"1/s\"\nfor = \"5s\"\ndeadline = \"169h\""), "169h is longer than a drill can last", "\"169h\""),
        (load("users = 3\nthink = \"169h\"\nfor = \"5s\""), "169h is longer than a drill can last", "\"169h\""),
        (load("stages = [{ rate = \"1/s\", for = \"169h\" }]"), "169h is longer than a drill can last", "\"169h\""),
        (
            load("rate = \"1/s\"\nfor = \"5s\"\nkeys = { zipf = -1.0 }"),
            "Zipf's exponent must be 0 or more",
            "{ zipf = -1.0 }",
        ),
        (
            load("rate = \"1/s\"\nfor = \"5s\"\nkeys = { zipf = nan }"),
            "Zipf's exponent must be 0 or more",
            "{ zipf = nan }",
        ),
        (load("users = 0\nfor = \"5s\""), "at least one user is needed", "0"),
        (load("users = 200000\nfor = \"5s\""), "that many users do not fit into one process", "200000"),
        (load("rate = \"1/s\"\nusers = 3\nfor = \"5s\""), "a load has either a rate, or stages, or users", "\"1/s\""),
        (SOUND.replace("\"2s\"", "\"169h\""), "169h is longer than a drill can last", "\"169h\""),
        (
            format!("{SOUND}\n[target]\nconnections = 70000"),
            "70000 connections are more than a machine has ports for",
            "70000",
        ),
        (
            SOUND.replace("\"2s\"", "\"1s\"\nrepeat = 9\nevery = \"2s\""),
            "the load has ended by the last of 9 occurrences",
            "9",
        ),
    ] {
        assert_eq!(errors(&text), [(message.to_owned(), place.to_owned())], "{text}");
    }
    let help = invalid(&SOUND.replace("\"2s\"", "\"1s\"\nrepeat = 9\nevery = \"2s\"")).help.unwrap();
    assert!(help.ends_with("the last would begin after 17s: at most 2"), "{help}");
}

#[test]
fn what_is_too_much_only_together_is_refused_at_the_loads() {
    let many = |keys: &str| {
        let load = format!("[[load]]\n{keys}\n");
        SOUND.replace("[[fault]]", &format!("{load}{load}\n[[fault]]"))
    };
    for (keys, message) in [
        ("rate = \"1/s\"\nfor = \"5s\"\nsessions = 4000000", "8000100 sessions in all loads do not fit into memory"),
        ("users = 60000\nfor = \"5s\"", "120000 users in all loads do not fit into one process"),
        ("rate = \"10000/s\"\nfor = \"60h\"", "4320000500 operations are more than a history can number"),
    ] {
        assert_eq!(errors(&many(keys))[0].0, message);
    }
    let stages = "stages = [{ rate = \"1/s\", for = \"100h\" }, { rate = \"1/s\", for = \"100h\" }]";
    let text = SOUND.replace("rate = \"100/s\"\nfor  = \"5s\"", stages);
    assert_eq!(errors(&text)[0].0, "the load would end after 200h, which is longer than a drill can last");
}

#[test]
fn every_wrong_key_type_and_unit_is_shown_at_once_in_the_text_s_order() {
    let text = r#"
name  = 7
abuot = "y"

[store]
polcy  = "drain"
ttl    = "soon"
policy = "drian"

[[load]]
rate = "100"
for  = "5 parsecs"
mix  = { create = "much", raed = 1 }

[[fault]]
kind = "proxy.donw"
at   = "1s"
for  = "2s"

[[fault]]
kind = "proxy.down"
at   = "never"
for  = "2s"

[chekcs]
"#;
    let found = errors(text);
    let places: Vec<&str> = found.iter().map(|(_, place)| place.as_str()).collect();
    let expected = [
        "7",
        "abuot",
        "polcy",
        "\"soon\"",
        "\"drian\"",
        "\"100\"",
        "\"5 parsecs\"",
        "\"much\"",
        "raed",
        "\"proxy.donw\"",
        "\"never\"",
        "chekcs",
        "",
    ];
    assert_eq!(places, expected, "{found:#?}");
    assert_eq!(found.last().unwrap().0, "missing field `about`");
    let hints: Vec<String> = invalid(text).others.into_iter().filter_map(|error| error.help).collect();
    for meant in ["about", "policy", "drain", "read", "proxy.down", "checks"] {
        let hint = format!("did you mean `{meant}`?");
        assert!(hints.contains(&hint) || found.iter().any(|(text, _)| text.ends_with(&hint)), "{meant}");
    }
}

#[test]
fn everything_that_makes_no_sense_is_shown_at_once_in_the_text_s_order() {
    let text = SOUND
        .replace("name  = \"x\"", "name = \"X Y\"")
        .replace("\"5s\"", "\"0s\"\ndeadline = \"0s\"")
        .replace("during.errors", "during.eror")
        .replace("[gates]", "[checks]\nlost-wrties = \"valid\"\n[gates]");
    let found = errors(&text);
    let places: Vec<&str> = found.iter().map(|(_, place)| place.as_str()).collect();
    assert_eq!(places, ["\"X Y\"", "\"0s\"", "\"0s\"", "\"1s\"", "lost-wrties", "\"during.eror\""], "{found:#?}");
}

#[test]
fn of_very_many_errors_the_first_are_shown_and_the_others_counted() {
    let gates: String = (0..30).map(|n| format!("\"nothing-at-all-{n}\" = \"= 1\"\n")).collect();
    let found = errors(&format!("{SOUND}{gates}"));
    assert_eq!(found.len(), 21);
    assert_eq!(found[20].0, "and 10 problems more");
}
