//! Section 1: the verdict with its reasons, each gate with limit and actual, each check with its offences by name.

use super::markup::Html;
use super::{Answer, chip, tile};
use crate::describe;
use crate::run::{Check, OutcomeCounts, PhaseName, Run};
use crate::text;

pub(super) fn section(run: &Run, html: &mut Html) {
    html.el("section", &[("id", "verdict")], |html| {
        banner(run, html);
        tiles(run, html);
        gates(run, html);
        claims(run, html);
        checks(run, html);
    });
}

fn banner(run: &Run, html: &mut Html) {
    let (class, word) = run.verdict.chip();
    html.el("header", &[("class", &format!("banner {class}"))], |banner| {
        banner.leaf("p", &[("class", "word")], word);
        banner.leaf("h1", &[], &run.scenario.name);
        banner.leaf("p", &[("class", "about")], &run.scenario.about);
        if run.reasons.is_empty() {
            banner.leaf("p", &[("class", "reasons")], &describe::headline(run));
        } else {
            banner.el("ul", &[("class", "reasons")], |list| {
                for reason in &run.reasons {
                    list.leaf("li", &[], reason);
                }
            });
        }
    });
}

/// The numbers that are asked for first.
fn tiles(run: &Run, html: &mut Html) {
    let mut outcomes = OutcomeCounts::default();
    for phase in &run.phases {
        outcomes.merge(phase.outcomes);
    }
    html.el("div", &[("class", "tiles")], |tiles| {
        let load = format!("in {} of load", text::millis(run.load_seconds * 1000.0));
        tile("Operations", &text::count(outcomes.total()), &load, "", tiles);
        let during = run.phase(PhaseName::During).map(|phase| phase.error_rate);
        let during = during.map_or_else(String::new, |share| format!("{} during the fault", text::percent(share)));
        tile("Failed or unknown", &text::count(outcomes.errors()), &during, "", tiles);
        if !run.faults.is_empty() {
            let (time, beside) = match run.recovery_ms {
                Some(time) => (text::millis(time), "after the last fault's end"),
                None => ("–".to_string(), "no recovery time"),
            };
            tile("Recovery", &time, beside, "", tiles);
        }
        let served: u64 = run.fallback.activations.iter().fold(0, |sum, one| sum.saturating_add(one.served));
        let activations = run.fallback.activations.len() as u64;
        let served = format!("{} served", text::counted(served, "operation"));
        tile("Fallback activations", &text::count(activations), &served, "", tiles);
        let offences = run.checks.iter().fold(0_u64, |sum, check| sum.saturating_add(check.offences));
        let alarming = run.checks.iter().any(|check| check.counts && check.offences > 0);
        let alarm = if alarming { "alarm" } else { "" };
        let checks = text::counted(run.checks.len() as u64, "check");
        tile("Broken promises", &text::count(offences), &format!("found by {checks}"), alarm, tiles);
    });
}

fn gates(run: &Run, html: &mut Html) {
    html.leaf("h2", &[], "Gates");
    if run.gates.is_empty() {
        html.leaf("p", &[("class", "quiet")], "No gate was judged.");
        return;
    }
    html.table(&["", "Gate", "Limit", "Actual", ""], 5, |rows| {
        for gate in &run.gates {
            rows.el("tr", &[], |row| {
                row.el("td", &[], |cell| chip(gate.verdict, cell));
                row.el("td", &[], |cell| cell.leaf("code", &[], &gate.name));
                row.el("td", &[], |cell| cell.leaf("code", &[], &gate.limit));
                row.leaf("td", &[("class", "strong")], &gate.actual_text);
                row.leaf("td", &[("class", "quiet")], &gate.note);
            });
        }
    });
}

/// What was claimed and what came of it.
fn claims(run: &Run, html: &mut Html) {
    if run.claims.is_empty() {
        return;
    }
    html.leaf("h2", &[], "Claims");
    html.table(&["", "Claim", "Limit", "Actual", "Measured"], 5, |rows| {
        for claim in &run.claims {
            let (class, _) = claim.verdict.chip();
            rows.el("tr", &[], |row| {
                row.el("td", &[], |cell| {
                    cell.leaf("span", &[("class", &format!("chip {class}"))], claim.verdict.of_claim());
                });
                row.el("td", &[], |cell| cell.leaf("code", &[], &claim.name));
                row.el("td", &[], |cell| cell.leaf("code", &[], &claim.limit));
                row.leaf("td", &[("class", "strong")], &claim.actual_text);
                row.leaf("td", &[("class", "quiet")], &claim.note);
            });
        }
    });
}

fn checks(run: &Run, html: &mut Html) {
    html.leaf("h2", &[], "Checks");
    if run.checks.is_empty() {
        html.leaf("p", &[("class", "quiet")], "No checker judged this run.");
        return;
    }
    html.table(&["", "Check", "Answer", "Examined", "Offences"], 3, |rows| {
        for check in &run.checks {
            rows.el("tr", &[], |row| {
                row.el("td", &[], |cell| chip(check, cell));
                row.el("td", &[], |cell| {
                    cell.leaf("code", &[], &check.name);
                    cell.leaf("span", &[("class", "under quiet")], &check.about);
                });
                row.leaf("td", &[], &check.summary);
                row.leaf("td", &[("class", "figure")], &text::count(check.examined));
                row.leaf("td", &[("class", "figure")], &text::count(check.offences));
            });
        }
    });
    for check in run.checks.iter().filter(|check| !check.samples.is_empty()) {
        offences(check, html);
    }
}

fn offences(check: &Check, html: &mut Html) {
    html.el("h3", &[], |heading| {
        heading.text("Offences found by ");
        heading.leaf("code", &[], &check.name);
    });
    html.table(&["At", "Session", "Operations", "What happened"], 4, |rows| {
        for offence in &check.samples {
            rows.el("tr", &[], |row| {
                let operations: Vec<String> = offence.operations.iter().map(u64::to_string).collect();
                row.leaf("td", &[("class", "time")], &offence.at_ms.map(text::moment).unwrap_or_default());
                row.leaf("td", &[], &offence.session);
                row.leaf("td", &[], &operations.join(", "));
                row.leaf("td", &[], &offence.text);
            });
        }
    });
    let hidden = check.offences.saturating_sub(check.samples.len() as u64);
    if hidden > 0 {
        html.leaf("p", &[("class", "quiet")], &format!("… and {} more of the kind.", text::count(hidden)));
    }
}
