//! What was done to the target and what its fallback did about it, as tables beside the timeline.

use super::markup::Html;
use super::named;
use crate::describe;
use crate::run::Run;
use crate::text;

/// The faults: what was planned, what was observed, and the proof that each bit.
pub(super) fn faults(run: &Run, html: &mut Html) {
    if run.faults.is_empty() {
        html.leaf("p", &[("class", "quiet")], "The scenario has no faults.");
        return;
    }
    html.table(&["", "Fault", "Planned", "Observed", "Proof"], 5, |rows| {
        for fault in &run.faults {
            rows.el("tr", &[], |row| {
                let (class, word) = if fault.bit { ("plain", "bit") } else { ("doubtful", "never bit") };
                row.el("td", &[], |cell| cell.leaf("span", &[("class", &format!("chip {class}"))], word));
                row.el("td", &[], |cell| {
                    cell.leaf("code", &[], &fault.kind);
                    cell.leaf("span", &[("class", "under quiet")], &fault.detail);
                });
                let planned_end = fault.planned_for_ms.map(|long| fault.planned_at_ms + long);
                row.leaf("td", &[("class", "time")], &text::window(fault.planned_at_ms, planned_end));
                let observed = fault.onset_ms.map(|onset| text::window(onset, fault.end_ms));
                row.leaf("td", &[("class", "time")], observed.as_deref().unwrap_or("–"));
                row.leaf("td", &[], &fault.evidence);
            });
        }
    });
}

/// Recovery and fallback in sentences.
pub(super) fn aftermath(run: &Run, html: &mut Html) {
    html.el("dl", &[], |list| {
        if !run.faults.is_empty() {
            list.leaf("dt", &[], "Recovery");
            list.leaf("dd", &[], &describe::recovery(run));
        }
        let sentences = describe::fallback(&run.fallback);
        list.leaf("dt", &[], "Fallback");
        if sentences.is_empty() {
            list.leaf("dd", &[], "not needed");
        }
        for sentence in sentences {
            list.leaf("dd", &[], &sentence);
        }
        let story = describe::store(&run.store);
        if !story.is_empty() {
            list.leaf("dt", &[], "Store");
        }
        for sentence in story {
            list.leaf("dd", &[], &sentence);
        }
    });
}

/// Operations that were not ok, by cause.
pub(super) fn causes(run: &Run, html: &mut Html) {
    if run.errors.is_empty() {
        return;
    }
    html.leaf("h3", &[], "Not ok, by cause");
    html.table(&["Cause", "Outcome", "Operations"], 2, |rows| {
        for cause in &run.errors {
            rows.el("tr", &[], |row| {
                row.el("td", &[], |cell| cell.leaf("code", &[], &cause.cause));
                row.el("td", &[], |cell| named(cause.outcome.name(), cell));
                row.leaf("td", &[("class", "figure")], &text::count(cause.count));
            });
        }
    });
}
