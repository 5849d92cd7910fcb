//! What becomes of anything at all in place of a scenario, with anything at all after `--set`.

use miette::NarratableReportHandler;

use super::error::{Invalid, ScenarioError};
use super::overrides::Override;
use super::parse::parse;
use super::source::Source;
use crate::plan::Plan;
use crate::secret;

const WORDS: [&str; 34] = [
    "--set store.policy=degrade\n",
    "--set load.rate=7/s\n",
    "--set load.0.for=1h\n",
    "--set gates.\"during.errors\"=<= 5%\n",
    "--set fault=[]\n",
    "--set a.b.c={}\n",
    "[[load]]\n",
    "[[fault]]\n",
    "[[deploy]]\n",
    "[store]\n",
    "[lab.redis]\n",
    "[gates]\n",
    "[situations]\n",
    "[claims]\n",
    "kind = \"keys.delete\"\nshare = \"10%\"\n",
    "on = { command = \"SET\", nth = 2 }\n",
    "on = { state = \"draining\" }\n",
    "directives = [\"timeout 5\"]\n",
    "users = 2\nthink = { constant = \"1s\" }\n",
    "keys = { zipf = 1.2 }\n",
    "keys = { hotspot = { sessions = \"1%\", operations = \"90%\" } }\n",
    "payload = { median = \"8KB\", sigma = 1.2, max = \"512KB\" }\n",
    "stages = [{ rate = \"1/s\", for = \"1s\", ramp = true }]\n",
    "repeat = 3\nevery = \"5s\"\nspread = \"1s\"\n",
    "breaker = { open-for = \"2s\" }\n",
    "topology = \"cluster\"\n",
    "\"2562047h\"",
    "\"0.0000001/s\"",
    "nan",
    "inf",
    "1979-05-27T07:32:00Z",
    "'''",
    "[[[[[[[[[[[[[[[[",
    "a.a.a.a.a.a.a.a.",
];

/// The places of an error lie in the text that it shows, and it never prints as nothing.
fn is_shown(error: &ScenarioError) {
    let in_place = |invalid: &Invalid| {
        assert!(!invalid.message.is_empty());
        let text = invalid.source_code.inner();
        if let Some(span) = invalid.span {
            let place = text.get(span.offset()..span.offset() + span.len());
            assert!(place.is_some(), "{} is at {span:?} of {} bytes", invalid.message, text.len());
        }
    };
    if let ScenarioError::Invalid(first) = error {
        in_place(first);
        first.others.iter().for_each(in_place);
    }
    let mut shown = String::new();
    NarratableReportHandler::new().render_report(&mut shown, error).unwrap();
    #[cfg(feature = "cli")]
    {
        let theme = miette::GraphicalTheme::unicode_nocolor();
        miette::GraphicalReportHandler::new_themed(theme).render_report(&mut shown, error).unwrap();
    }
    assert!(!shown.trim().is_empty());
}

#[test]
fn any_scenario_is_refused_in_its_place_or_written_out_such_that_it_is_read_back_and_has_a_plan_or_a_reason() {
    firedrill_fuzz::fuzz("scenario", &WORDS, |input| {
        let text = String::from_utf8_lossy(input);
        let (sets, lines): (Vec<&str>, Vec<&str>) = text.split('\n').partition(|line| line.starts_with("--set "));
        let source = |text: String| Source { name: "x.toml".to_owned(), text };
        let mut overrides: Vec<Override> = Vec::new();
        for set in sets {
            match set["--set ".len()..].parse() {
                Ok(set) => overrides.push(set),
                Err(error) => is_shown(&error),
            }
        }
        let scenario = match parse(&source(lines.join("\n")), &overrides) {
            Ok(scenario) => scenario,
            Err(error) => return is_shown(&error),
        };
        let written = toml::to_string(&scenario).unwrap_or_else(|error| panic!("{error}: {scenario:?}"));
        let again = parse(&source(written.clone()), &[]).unwrap_or_else(|error| panic!("{error}:\n{written}"));
        assert_eq!(toml::to_string(&again).unwrap(), written);
        // Secrets are written as blanks.
        if !written.contains(secret::BLANK) {
            assert_eq!(again, scenario, "{written}");
        }
        match Plan::of(scenario, 1) {
            Ok(plan) => assert!(plan.to_string().contains("# Faults")),
            Err(failure) => assert!(!failure.to_string().is_empty()),
        }
    });
}
