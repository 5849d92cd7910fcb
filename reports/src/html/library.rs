//! The saved runs below a folder as a page with filters, links to their reports, and a choice of two to compare. It is for a
//! server: its form asks for the same page again, or for `compare`.

use std::path::Path;

use maud::{Markup, html};

use super::page_with_keys;
use super::parts::{chip, link};
use crate::library::{Entry, Library};
use crate::run::{REPORT_FILE, Verdict};
use crate::text;

/// What of a library is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The runs.
    pub library: &'a Library,
    /// The folder that was looked through: places are relative to it.
    pub root: &'a Path,
    /// Only runs of this scenario; empty for all.
    pub scenario: &'a str,
    /// Only runs with this verdict; empty for all.
    pub verdict: &'a str,
}

/// The parts of the form, as its server reads them.
impl Shown<'_> {
    /// The name of the field with the scenario.
    pub const SCENARIO: &'static str = "scenario";
    /// The name of the field with the verdict.
    pub const VERDICT: &'static str = "verdict";
    /// The name of the field with the baseline's place.
    pub const BASELINE: &'static str = "baseline";
    /// The name of the field with the place of the run that is compared with it.
    pub const RUN: &'static str = "run";
    /// The path of comparisons.
    pub const COMPARE: &'static str = "compare";
    /// The first part of the path of a run's files.
    pub const FILES: &'static str = "runs";
}

const VERDICTS: [Verdict; 4] = [Verdict::Passed, Verdict::Failed, Verdict::Inconclusive, Verdict::Interrupted];

/// The place of a run: its folder relative to `root`; `.` if it is that folder.
pub fn place(root: &Path, folder: &Path) -> String {
    let place = folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().into_owned();
    if place.is_empty() { ".".to_owned() } else { place }
}

/// Renders the page.
pub fn render_library(shown: &Shown<'_>) -> String {
    let fits = |run: &&Entry| {
        (shown.scenario.is_empty() || run.scenario == shown.scenario)
            && (shown.verdict.is_empty() || run.verdict.name() == shown.verdict)
    };
    let runs: Vec<&Entry> = shown.library.runs.iter().filter(fits).collect();
    let says = format!("{} of {}", runs.len(), text::counted(shown.library.runs.len() as u64, "run"));
    let content = html! {
        section {
            header class="banner plain" {
                p.word { (says) }
                h1 { "Saved runs" }
                p.about { "Below " code { (shown.root.display()) } ", the newest first." }
            }
            form method="get" {
                (filters(shown))
                (table(shown, &runs))
            }
            (unreadable(shown.library))
        }
    };
    page_with_keys("Firedrill: saved runs", &content)
}

fn filters(shown: &Shown<'_>) -> Markup {
    let mut scenarios: Vec<&str> = shown.library.runs.iter().map(|run| run.scenario.as_str()).collect();
    scenarios.sort_unstable();
    scenarios.dedup();
    let option = |value: &str, chosen: &str| html! { option value=(value) selected[value == chosen] { (value) } };
    html! {
        p.filters {
            label { "Scenario " select name=(Shown::SCENARIO) {
                option value="" { "all" }
                @for name in scenarios { (option(name, shown.scenario)) }
            } }
            label { "Verdict " select name=(Shown::VERDICT) {
                option value="" { "all" }
                @for verdict in VERDICTS { (option(verdict.name(), shown.verdict)) }
            } }
            button type="submit" formaction="./" { "Show" }
            button type="submit" formaction=(Shown::COMPARE) { "Compare B with A" }
        }
    }
}

fn table(shown: &Shown<'_>, runs: &[&Entry]) -> Markup {
    html! {
        div.scroll {
            table.runs {
                thead {
                    tr {
                        @for name in ["A", "B", "Verdict", "Run", "When", "Seed", "Why"] { th scope="col" { (name) } }
                    }
                }
                tbody { @for (number, run) in runs.iter().enumerate() { (row(shown, run, number)) } }
            }
        }
    }
}

/// A run; the newest two are those that a comparison begins with.
fn row(shown: &Shown<'_>, run: &Entry, number: usize) -> Markup {
    let place = place(shown.root, &run.path);
    let when = run.started_at.get(..19).map_or_else(|| "–".to_owned(), |second| second.replace('T', " ") + "Z");
    html! {
        tr {
            td { label {
                input type="radio" name=(Shown::BASELINE) value=(place) checked[number == 1]
                    aria-label={ "A, the baseline: " (place) };
                span.narrow { "A" }
            } }
            td { label {
                input type="radio" name=(Shown::RUN) value=(place) checked[number == 0]
                    aria-label={ "B, compared with A: " (place) };
                span.narrow { "B" }
            } }
            td { (chip(run.verdict)) }
            td.run {
                a href=(link(&format!("{}/{place}/{REPORT_FILE}", Shown::FILES))) { (run.scenario) }
                span.under.quiet { (place) }
            }
            td.time { (when) }
            td.seed { (run.seed) }
            td.why { @for reason in run.reasons.iter().take(2) { span.under { (reason) } } }
        }
    }
}

fn unreadable(library: &Library) -> Markup {
    html! {
        @if !library.unreadable.is_empty() {
            h2 { "Not readable" }
            ul.plainlist {
                @for folder in &library.unreadable {
                    li { code { (folder.path.display()) } " " span.quiet { (folder.reason) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(folder: &str, scenario: &str, verdict: Verdict) -> Entry {
        Entry {
            path: folder.into(),
            scenario: scenario.to_owned(),
            verdict,
            seed: 7,
            started_at: "2026-11-29T22:24:33.123Z".to_owned(),
            load_seconds: 20.0,
            reasons: Vec::new(),
            firedrill_version: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn filters_choose_the_runs_and_keep_what_was_chosen() {
        let failed = entry("/r/b/<i>", "<i>", Verdict::Failed);
        let library = Library { runs: vec![entry("/r/a/calm", "calm", Verdict::Passed), failed], ..Library::default() };
        let shown = Shown { library: &library, root: Path::new("/r"), scenario: "", verdict: "failed" };
        let page = render_library(&shown);
        assert!(
            page.contains("1 of 2 runs") && page.contains("<option value=\"failed\" selected>failed</option>"),
            "{page}"
        );
        assert!(page.contains("<a href=\"./runs/b/%3Ci%3E/report.html\">&lt;i&gt;</a>"), "{page}");
        assert!(!page.contains("<a href=\"./runs/a/calm"), "{page}");
        assert!(page.contains("<option value=\"calm\">calm</option>") && !page.contains("<i>"), "{page}");
    }

    #[test]
    fn a_place_is_relative_to_the_folder_that_was_looked_through() {
        assert_eq!(place(Path::new("runs"), Path::new("runs/now/calm")), "now/calm");
        assert_eq!(place(Path::new("runs"), Path::new("runs")), ".");
    }
}
