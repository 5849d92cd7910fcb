//! Section 1: the verdict with its reasons, the numbers that people ask for first, and whether the load was what was planned.

use maud::{Markup, html};

use super::generator;
use super::parts::{Answer as _, Tile, tile};
use crate::describe;
use crate::run::{OutcomeCounts, PhaseName, Run};
use crate::text;

pub(super) fn section(run: &Run) -> Markup {
    html! {
        section id="verdict" {
            (banner(run))
            (tiles(run))
            (generator::line(run))
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
            (lost(run))
            (recovery(run))
            (activations(run))
            (broken(run))
        }
    }
}

/// Acknowledged writes that are gone.
fn lost(run: &Run) -> Markup {
    let lost = run.impact.as_ref().and_then(|impact| impact.lost);
    html! {
        @if let Some(lost) = lost {
            @let beside = format!("of {}", text::counted(lost.sessions, "session"));
            (Tile { label: "Lost writes", value: &text::count(lost.operations), beside: &beside, alarm: lost.operations > 0 })
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
