//! Section 1: the verdict with its reasons, each gate with limit and actual value, each check with its offences by
//! name.

use maud::{Markup, html};

use super::parts::{Answer, Tile, chip, table, tile};
use super::situations;
use crate::describe;
use crate::run::{Check, OutcomeCounts, PhaseName, Run};
use crate::text;

pub(super) fn section(run: &Run) -> Markup {
    html! {
        section id="verdict" {
            (banner(run))
            (tiles(run))
            h2 { "Gates" }
            (gates(run))
            @if !run.claims.is_empty() {
                h2 { "Claims" }
                (claims(run))
            }
            h2 { "Checks" }
            (checks(run))
            (situations::stated(run))
            (situations::reached(run))
        }
    }
}

fn banner(run: &Run) -> Markup {
    let (class, word) = run.verdict.chip();
    html! {
        header class={ "banner " (class) } {
            p.word { (word) }
            h1 { (run.scenario.name) }
            p.about { (run.scenario.about) }
            @if run.reasons.is_empty() {
                p.reasons { (describe::headline(run)) }
            } @else {
                ul.reasons { @for reason in &run.reasons { li { (reason) } } }
            }
        }
    }
}

/// The numbers that people ask for first.
fn tiles(run: &Run) -> Markup {
    let mut outcomes = OutcomeCounts::default();
    for phase in &run.phases {
        outcomes.merge(phase.figures.outcomes);
    }
    let load = format!("in {} of load", text::millis(run.load_seconds * 1000.0));
    let during = run.phase(PhaseName::During).map(|phase| phase.figures.error_rate);
    let during = during.map_or_else(String::new, |share| format!("{} during the fault", text::percent(share)));
    let missing = text::count(outcomes.missing);
    let no_session = "answered \"no such session\"";
    html! {
        div.tiles {
            (tile("Operations", &text::count(outcomes.total()), &load))
            (tile("Failed or unknown", &text::count(outcomes.errors()), &during))
            (Tile { label: "Missing", value: &missing, beside: no_session, alarm: outcomes.missing > 0 })
            (recovery(run))
            (activations(run))
            (broken(run))
        }
    }
}

fn recovery(run: &Run) -> Markup {
    let (time, beside) = match run.recovery_ms {
        Some(time) => (text::millis(time), "after the last fault's end"),
        None => ("–".to_string(), "no recovery time"),
    };
    html! { @if !run.faults.is_empty() { (tile("Recovery", &time, beside)) } }
}

fn activations(run: &Run) -> Markup {
    let served: u64 = run.fallback.activations.iter().fold(0, |sum, one| sum.saturating_add(one.served));
    let activations = run.fallback.activations.len() as u64;
    let served = format!("{} served", text::counted(served, "operation"));
    tile("Fallback activations", &text::count(activations), &served)
}

fn broken(run: &Run) -> Markup {
    let offences = run.checks.iter().fold(0_u64, |sum, check| sum.saturating_add(check.offences));
    let alarm = run.checks.iter().any(|check| check.counts && check.offences > 0);
    let checks = describe::checks(run);
    let beside = match checks.vacuous {
        0 => format!("{} of {} checks valid", checks.valid, checks.counting),
        none => format!("{} of {} checks valid, {none} with nothing to examine", checks.valid, checks.counting),
    };
    html! { (Tile { label: "Broken promises", value: &text::count(offences), beside: &beside, alarm }) }
}

fn gates(run: &Run) -> Markup {
    if run.gates.is_empty() {
        return html! { p.quiet { "No gate was judged." } };
    }
    let rows = html! {
        @for gate in &run.gates {
            tr {
                td { (chip(gate.verdict)) }
                td { code { (gate.name) } }
                td { code { (gate.limit) } }
                td.strong { (gate.actual_text) }
                td.quiet { (gate.note) }
            }
        }
    };
    table(&["", "Gate", "Limit", "Actual", ""], 5, &rows)
}

/// The claims and their results.
fn claims(run: &Run) -> Markup {
    let rows = html! {
        @for claim in &run.claims {
            @let (class, _) = claim.verdict.chip();
            tr {
                td { span class={ "chip " (class) } { (claim.verdict.of_claim()) } }
                td { code { (claim.name) } }
                td { code { (claim.limit) } }
                td.strong { (claim.actual_text) }
                td.quiet { (claim.note) }
            }
        }
    };
    table(&["", "Claim", "Limit", "Actual", "Measured"], 5, &rows)
}

fn checks(run: &Run) -> Markup {
    if run.checks.is_empty() {
        return html! { p.quiet { "No checker judged this run." } };
    }
    let rows = html! {
        @for check in &run.checks {
            tr {
                td { (chip(check)) }
                td {
                    code { (check.name) }
                    span.under.quiet { (check.about) }
                }
                td { (describe::finding(check)) }
                td.figure { (text::count(check.examined)) }
                td.figure { (text::count(check.offences)) }
            }
        }
    };
    html! {
        (table(&["", "Check", "Answer", "Examined", "Offences"], 3, &rows))
        @for check in run.checks.iter().filter(|check| !check.samples.is_empty()) { (offences(check)) }
    }
}

fn offences(check: &Check) -> Markup {
    let rows = html! {
        @for offence in &check.samples {
            @let operations: Vec<String> = offence.operations.iter().map(u64::to_string).collect();
            tr {
                td.time { (offence.at_ms.map(text::moment).unwrap_or_default()) }
                td { (offence.session) }
                td { (operations.join(", ")) }
                td { (offence.text) }
                td { @if let Some(flags) = describe::history_flags(offence) { code { (flags) } } }
            }
        }
    };
    let hidden = check.offences.saturating_sub(check.samples.len() as u64);
    html! {
        h3 { "Offences found by " code { (check.name) } }
        (table(&["At", "Session", "Operations", "What happened", "Show with"], 5, &rows))
        p.quiet { code { "firedrill history RUN" } " with the flags of a line shows its operations; RUN is the folder of this page." }
        @if hidden > 0 { p.quiet { "… and " (text::count(hidden)) " more of the kind." } }
    }
}
