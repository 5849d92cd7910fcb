//! What people read on the terminal when a drill is over.

use firedrill_reports::Run;
use firedrill_reports::run::{Scenario, Stretch, Verdict};
use firedrill_reports::terminal::{self, Style};

use crate::common;

const PLAIN: Style = Style { colour: false, width: 120 };

#[test]
fn the_verdict_is_the_first_and_the_last_line() {
    let text = terminal::drill(&common::failed(), PLAIN);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        "✗ FAILED  redis-outage  Redis drops off the network for 5 s under load; nothing acknowledged may be lost."
    );
    assert_eq!(
        *lines.last().unwrap(),
        "✗ FAILED  redis-outage  lost-writes: 1 507 acknowledged writes are missing at the end."
    );
}

#[test]
fn every_gate_is_shown_with_actual_and_limit() {
    let text = terminal::drill(&common::failed(), PLAIN);
    for (sign, gate, actual, limit) in [
        ("✗", "during.errors", "0.593 %", "<= 0.1%"),
        ("?", "after.read.p95", "not measured", "<= 50ms"),
        ("✓", "recovery", "863 ms", "<= 3s"),
        ("✓", "fallback.activations", "1", "= 1"),
    ] {
        let line = text.lines().find(|line| line.contains(gate) && line.contains(limit)).expect(gate);
        assert!(line.trim_start().starts_with(sign) && line.contains(actual), "{line}");
    }
}

#[test]
fn situations_are_shown_with_what_was_wanted_and_what_the_mix_never_reached() {
    let mut run = common::passed();
    let page = terminal::drill(&run, PLAIN);
    let line = |page: &str, name: &str| page.lines().find(|line| line.contains(name)).unwrap().trim_end().to_owned();
    let stated = line(&page, "unknown.append");
    assert!(
        stated.contains("✓") && stated.contains("4 appends of unknown outcome") && stated.ends_with(">= 1"),
        "{stated}"
    );
    assert!(line(&page, "never reached").ends_with("destroy while the fallback was active"), "{page}");
    (run.situations[0].met, run.situations[0].found_text) = (false, "no append of unknown outcome".to_owned());
    assert!(line(&terminal::drill(&run, PLAIN), "unknown.append").contains(" ?"), "{page}");
}

#[test]
fn offences_are_named_and_those_left_out_are_counted() {
    let text = terminal::drill(&common::failed(), PLAIN);
    assert!(text.contains("session 17, at 6.13 s, op 6120, 19990"), "{text}");
    assert!(text.contains("and 1502 more"), "{text}");
}

#[test]
fn an_offence_that_names_its_session_is_reported_once() {
    let mut run = common::failed();
    let told = "session 17: append 6120 was acknowledged (ok) at 6.127 s and is missing from the final read";
    run.checks[0].samples[0].text = told.into();
    let text = terminal::drill(&run, PLAIN);
    assert!(text.lines().any(|line| line.trim() == format!("✗  {told}")), "{text}");
    assert!(!text.contains("session 17, at"), "{text}");
}

#[test]
fn the_phases_keep_their_columns_whole_at_eighty_columns() {
    let mut run = common::failed();
    for phase in &mut run.phases {
        phase.figures.ops = 123_456;
        phase.figures.error_rate = 0.005_93;
    }
    let text = terminal::drill(&run, Style { colour: false, width: 80 });
    let heading = text.lines().find(|line| line.trim_start().starts_with("phase")).unwrap();
    for column in ["ops", "errors", "p95", "p99"] {
        assert!(heading.contains(column), "{heading}");
    }
    assert!(text.lines().any(|line| line.trim_start().starts_with("recovery ")), "{text}");
}

#[test]
fn the_names_of_load_blocks_are_not_wrapped_at_eighty_columns() {
    let mut run = common::failed();
    let during = run.phases[1].figures.clone();
    run.stretches.push(Stretch { scope: "load.checkout.during".to_owned(), figures: during });
    let text = terminal::drill(&run, Style { colour: false, width: 80 });
    assert!(text.lines().any(|line| line.trim_start().starts_with("load.checkout.during ")), "{text}");
}

#[test]
fn a_fault_that_never_bit_says_when_it_was_planned() {
    let text = terminal::drill(&common::interrupted(), PLAIN);
    assert!(text.contains("proxy.down  planned by hand, 6.00 – 11.00 s  never bit"), "{text}");
    assert!(text.ends_with("? INTERRUPTED  redis-outage  Interrupted by SIGINT 0.5 s into the load.\n"), "{text}");
}

#[test]
fn the_line_that_replays_is_whole_however_narrow_the_terminal() {
    let text = terminal::drill(&common::failed(), Style { colour: false, width: 40 });
    assert!(text.contains("\n    firedrill run redis-outage --seed 4242 --set store.policy=degrade\n"), "{text}");
}

#[test]
fn tables_keep_to_eighty_columns() {
    let text = terminal::drill(&common::failed(), Style { colour: false, width: 80 });
    let inner = text.lines().filter(|line| line.starts_with("  "));
    let widest = inner.max_by_key(|line| line.chars().count()).unwrap();
    assert!(widest.chars().count() <= 80, "{widest}");
    assert!(text.lines().any(|line| line.contains("during") && line.contains("5033") && line.contains("250 ms")));
}

#[test]
fn colour_appears_only_when_asked_for() {
    for run in [common::passed(), common::failed(), common::interrupted()] {
        assert!(!terminal::drill(&run, PLAIN).contains('\u{1b}'));
        assert!(!terminal::summary([&run], PLAIN).contains('\u{1b}'));
        assert!(terminal::drill(&run, Style { colour: true, ..PLAIN }).starts_with("\u{1b}[1;3"));
    }
}

#[test]
fn a_scenario_cannot_move_the_cursor() {
    let hostile = "\u{1b}[2Jquiet\u{7}\r";
    let scenario = Scenario { name: hostile.into(), about: hostile.into(), tags: Vec::new() };
    let run = Run { scenario, reasons: vec![hostile.into()], replay: hostile.into(), ..common::failed() };
    for text in [terminal::drill(&run, PLAIN), terminal::summary([&run], PLAIN)] {
        assert!(text.contains("quiet"));
        assert!(!text.contains(['\u{1b}', '\u{7}', '\r']), "{text:?}");
    }
}

#[test]
fn the_summary_has_a_line_per_drill_and_counts_the_verdicts() {
    let runs = [common::passed(), common::failed(), common::interrupted()];
    let text = terminal::summary(&runs, PLAIN);
    assert!(text.contains("✓ passed       redis-outage  4/4 gates  5/5 checks  863 ms"), "{text}");
    assert!(text.contains("lost-writes: 1 507 acknowledged writes are missing"), "{text}");
    assert!(text.ends_with("3 drills: 1 passed, 1 failed, 1 interrupted\n"), "{text}");
}

#[test]
fn a_run_without_anything_in_it_is_rendered() {
    let text = terminal::drill(&Run { verdict: Verdict::Interrupted, ..Run::default() }, PLAIN);
    assert!(text.starts_with("? INTERRUPTED"), "{text}");
    assert_eq!(terminal::summary([], PLAIN), "0 drills\n");
}
