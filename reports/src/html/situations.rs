//! What had to happen for the drill to mean something, and, folded, what operations met in which state of the target.

use maud::{Markup, html};

use super::parts::{fold, table};
use crate::describe;
use crate::run::{Outcome, Reached, Run};
use crate::text;

/// What the scenario says must have happened.
pub(super) fn stated(run: &Run) -> Markup {
    let rows = html! {
        @for situation in &run.situations {
            @let (class, word) = if situation.met { ("good", "occurred") } else { ("doubtful", "too few") };
            tr {
                td { span class={ "chip " (class) } { (word) } }
                td { code { (situation.name) } }
                td { code { (situation.wanted) } }
                td.strong { (situation.found_text) }
            }
        }
    };
    html! {
        @if !run.situations.is_empty() {
            h3 { "Situations" }
            (table(&["Verdict", "Situation", "Wanted", "Found"], 4, &rows))
        }
    }
}

/// Each operation in each state of the target, by outcome.
pub(super) fn reached(run: &Run) -> Markup {
    let mut heads = vec!["State", "Operation"];
    heads.extend(Outcome::ALL.map(Outcome::name));
    let rows = html! { @for cell in &run.reached { (row(cell)) } };
    let never = describe::never_reached(run);
    let summary = html! {
        "What was reached: state × operation × outcome"
        @if !never.is_empty() { "; never " (never.join("; ")) }
    };
    let content = html! {
        (table(&heads, 2, &rows))
        p.quiet { "An operation belongs to the state in which it was sent." }
    };
    html! { @if !run.reached.is_empty() { (fold(&summary, false, false, &content)) } }
}

fn row(cell: &Reached) -> Markup {
    html! {
        tr {
            td { (cell.state) }
            td { code { (cell.op) } }
            @for outcome in Outcome::ALL {
                @match cell.outcomes.of(outcome) {
                    0 => { td.figure.quiet { "never" } }
                    count => { td.figure { (text::count(count)) } }
                }
            }
        }
    }
}
