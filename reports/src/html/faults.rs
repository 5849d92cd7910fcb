//! What was done to the target, and how its fallback reacted, as tables next to the timeline.

use maud::{Markup, html};

use super::parts::{named, table};
use crate::describe;
use crate::run::{Fault, Run};
use crate::text;

/// The faults: what was planned, what was observed, and the evidence that each took effect.
pub(super) fn faults(run: &Run) -> Markup {
    if run.faults.is_empty() {
        return html! { p.quiet { "The scenario has no faults." } };
    }
    let rows = html! { @for fault in &run.faults { (row(fault)) } };
    table(&["Effect", "Fault", "Hit", "Planned", "Observed", "Evidence"], 6, &rows)
}

fn row(fault: &Fault) -> Markup {
    let (class, word) = if fault.bit { ("plain", "bit") } else { ("doubtful", "never bit") };
    let planned = describe::planned_window(fault);
    let observed = fault.onset_ms.map_or_else(|| "–".to_string(), |onset| text::window(onset, fault.end_ms));
    html! {
        tr {
            td { span class={ "chip " (class) } { (word) } }
            td {
                code { (describe::fault_name(fault)) }
                span.under.quiet { (fault.detail) }
            }
            td { @for hit in &fault.hit { span.under { (hit) } } }
            td.time { (planned) }
            td.time { (observed) }
            td { (fault.evidence) }
        }
    }
}

/// Recovery and fallback in sentences.
pub(super) fn aftermath(run: &Run) -> Markup {
    let fallback = describe::fallback(&run.fallback);
    let store = describe::store(&run.store);
    html! {
        dl {
            @if !run.faults.is_empty() {
                dt { "Recovery" }
                dd { (describe::recovery(run)) }
            }
            dt { "Fallback" }
            @if fallback.is_empty() { dd { "not needed" } }
            @for sentence in &fallback { dd { (sentence) } }
            @if !store.is_empty() { dt { "Store" } }
            @for sentence in &store { dd { (sentence) } }
        }
    }
}

/// Operations that were not ok, by cause.
pub(super) fn causes(run: &Run) -> Markup {
    let rows = html! {
        @for cause in &run.errors {
            tr {
                td { code { (cause.cause) } }
                td { (named(cause.outcome.name())) }
                td.figure { (text::count(cause.count)) }
            }
        }
    };
    html! {
        @if !run.errors.is_empty() {
            h3 { "Not ok, by cause" }
            (table(&["Cause", "Outcome", "Operations"], 2, &rows))
        }
        @for sentence in describe::refusals(run) { p { (sentence) } }
    }
}
