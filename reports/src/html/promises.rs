//! Section 4: each gate with limit and actual value, each check with its answer. What did not hold comes first; what every
//! scenario has, and held, is folded.

use maud::{Markup, html};

use super::parts::{Answer as _, chip, fold, section as titled, table};
use super::situations;
use crate::describe;
use crate::run::{Check, CheckVerdict, Gate, GateVerdict, Run};
use crate::text;

pub(super) fn section(run: &Run) -> Markup {
    let content = html! {
        h3 { "Gates" }
        (gates(run))
        @if !run.claims.is_empty() {
            h3 { "Claims" }
            (claims(run))
        }
        h3 { "Checks" }
        (checks(run))
        (situations::stated(run))
        (situations::reached(run))
    };
    titled("promises", "Which promises held", &content)
}

fn gates(run: &Run) -> Markup {
    if run.gates.is_empty() {
        return html! { p.quiet { "No gate was judged." } };
    }
    let is_aside = |gate: &&Gate| gate.implied && gate.verdict == GateVerdict::Pass;
    let (aside, shown): (Vec<&Gate>, Vec<&Gate>) = run.gates.iter().partition(is_aside);
    let summary = html! { (text::counted(aside.len() as u64, "limit")) " that the scenario does not state held" };
    html! {
        @if !shown.is_empty() { (gate_table(&shown)) }
        @if !aside.is_empty() { (fold(&summary, true, false, &gate_table(&aside))) }
    }
}

fn gate_table(gates: &[&Gate]) -> Markup {
    let rows = html! {
        @for gate in gates {
            tr {
                td { (chip(gate.verdict)) }
                td { code { (gate.name) } }
                td { code { (gate.limit) } }
                td.strong { (gate.actual_text) }
                td.quiet { (gate.note) }
            }
        }
    };
    table(&["Verdict", "Gate", "Limit", "Actual", "Remark"], 5, &rows)
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
    table(&["Verdict", "Claim", "Limit", "Actual", "Measured"], 5, &rows)
}

fn checks(run: &Run) -> Markup {
    if run.checks.is_empty() {
        return html! { p.quiet { "No checker judged this run." } };
    }
    let (held, not): (Vec<&Check>, Vec<&Check>) =
        run.checks.iter().partition(|check| check.verdict == CheckVerdict::Valid);
    let vacuous = held.iter().filter(|check| check.vacuous()).count() as u64;
    let summary = html! {
        (text::counted(held.len() as u64 - vacuous, "check")) " valid"
        @if vacuous > 0 { ", " (text::count(vacuous)) " with nothing to examine" }
    };
    html! {
        @if !not.is_empty() { (check_table(&not)) }
        @if !held.is_empty() { (fold(&summary, true, not.is_empty(), &check_table(&held))) }
    }
}

fn check_table(checks: &[&Check]) -> Markup {
    let rows = html! {
        @for &check in checks {
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
    table(&["Verdict", "Check", "Answer", "Examined", "Offences"], 3, &rows)
}
