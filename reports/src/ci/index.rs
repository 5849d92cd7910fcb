//! `index.html`: the drills of an invocation on one page that opens offline, with a link to each report.

use maud::{Markup, html};

use super::drilled::{Drilled, Invocation};
use super::finding::Answer;
use crate::describe::{self, valid};
use crate::html::{column_head, link, page};
use crate::text;

/// The file's name.
pub const FILE: &str = "index.html";

/// Renders `invocation`. Links are relative to [`Invocation::out`], where the page belongs.
pub fn render(invocation: &Invocation) -> String {
    let drills = &invocation.drills;
    let passed = drills.iter().filter(|drilled| drilled.passed()).count();
    let says = format!("{passed} of {} passed", text::counted(drills.len() as u64, "drill"));
    let broken = drills.iter().any(|drilled| drilled.answer() == Answer::Broken);
    let class = match () {
        () if broken => "bad",
        () if passed == drills.len() => "good",
        () => "doubtful",
    };
    let content = html! {
        section id="verdict" {
            header class={ "banner " (class) } {
                p.word { (says) }
                h1 { "Firedrill" }
                p.about { "Exit status " (invocation.exit_status) ", Firedrill " (invocation.firedrill_version) "." }
            }
            h2 { "Drills" }
            (table(drills))
        }
    };
    page(&format!("Firedrill: {says}"), &content)
}

fn table(drills: &[Drilled]) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        @for name in ["", "Drill", "Gates", "Checks", "Recovery", "Load", "Why"] {
                            (column_head(name, false))
                        }
                    }
                }
                tbody { @for drilled in drills { (row(drilled)) } }
            }
        }
    }
}

fn row(drilled: &Drilled) -> Markup {
    let class = match drilled.answer() {
        Answer::Held => "good",
        Answer::Broken => "bad",
        Answer::Unclear | Answer::Reported => "doubtful",
    };
    let reasons = drilled.reasons();
    html! {
        tr {
            td { span class={ "chip " (class) } { (drilled.word()) } }
            td {
                @match drilled.report() {
                    Some(report) => a href=(link(&report.to_string_lossy())) { (drilled.scenario) },
                    None => (drilled.scenario),
                }
                @if let Some(page) = drilled.baseline.as_ref().and_then(|baseline| baseline.page.as_ref()) {
                    " · " a href=(link(&page.to_string_lossy())) { "compared" }
                }
                @if let Some(run) = drilled.run() { span.under.quiet { (run.scenario.about) } }
            }
            @match drilled.run() {
                Some(run) => {
                    @let (held, gates) = describe::gates_held(run);
                    @let checks = describe::checks(run);
                    td.strong { (held) "/" (gates) }
                    td.strong { (valid(&checks)) }
                    td.time { (run.recovery_ms.map(text::millis).unwrap_or_default()) }
                    td.time { (text::millis(run.load_seconds * 1000.0)) }
                }
                None => { td {} td {} td {} td {} }
            }
            td { @for reason in reasons { span.under { (reason) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{failed, invocation, judged, not_run, passed};
    use super::*;

    #[test]
    fn every_drill_has_its_verdict_and_a_link_to_its_report() {
        let page = render(&invocation(vec![judged(passed("calm")), judged(failed("redis-outage")), not_run("ttl")]));
        for part in [
            "<title>Firedrill: 1 of 3 drills passed</title>",
            "<header class=\"banner bad\">",
            "<span class=\"chip good\">passed</span>",
            "<a href=\"./redis-outage/report.html\">redis-outage</a>",
            "<span class=\"under\">gate during.errors: 5 % is not &lt;= 1%</span>",
            "<span class=\"chip doubtful\">not run</span>",
        ] {
            assert!(page.contains(part), "{part}:\n{page}");
        }
    }

    #[test]
    fn the_page_fetches_nothing() {
        let page = render(&invocation(vec![judged(failed("x"))]));
        assert!(page.contains("default-src 'none'") && !page.contains("http://") && !page.contains("https://"));
        assert!(!page.contains("<script"), "{page}");
    }
}
