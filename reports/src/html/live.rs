//! The page that follows running drills. It is empty: its script fills it with what the command answers under `state`, and
//! ends it as the reports, which it has fetched by then.

use maud::{Markup, PreEscaped, html};

use super::{Page, STYLE};

const SCRIPT: &str = include_str!("live.js");
const LIVE_STYLE: &str = include_str!("live.css");

/// The policy of the live page: it may ask the server that it came from, and nobody else. Its frame holds a report, which
/// may do no more.
pub const LIVE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                               connect-src 'self'; frame-src blob:; base-uri 'none'; form-action 'none'";

/// Renders the page.
pub fn render_live() -> String {
    let content = html! {
        section #verdict {
            div #banner .banner .plain {
                p #state .word aria-live="polite" { "connecting" }
                h1 #name { "Firedrill" }
                p #about .quiet {}
                p #said .reasons role="status" {}
            }
            div .course {
                progress #course max="1" value="0" aria-label="How much of the load is over" {}
                button #stop type="button" disabled { "Stop and heal" }
            }
            div .tiles {
                (tile("rate", "Throughput"))
                (tile("p95", "p95"))
                (tile("p99", "p99"))
                (tile("errors", "Errors"))
                (tile("degraded", "Degraded"))
                (tile("fallback", "Fallback"))
                (tile("breaker", "Breaker"))
            }
        }
        section #now {
            h2 { "What is happening" }
            div #chart .chart {
                (panel("lanes", "", ""))
                (panel("throughput", "Throughput", "operations per second"))
                (panel("latency", "Response time", "from the planned instant, log scale"))
                div #moments .x-axis {}
            }
        }
        section #faults {
            h2 { "Faults" }
            p #none .quiet { "The scenario has no faults." }
            div .scroll { table { tbody #rows {} } }
        }
        h1 #reported .spoken {}
        iframe #report title="Report" sandbox="allow-scripts" hidden {}
    };
    let nav = html! { nav #drills aria-label="Drills" hidden {} };
    let style = format!("{STYLE}{LIVE_STYLE}");
    Page { title: "Firedrill, live", policy: LIVE_POLICY, style: &style, above: &nav, content: &content }
        .render(&html! { script { (PreEscaped(SCRIPT)) } })
}

fn tile(id: &str, label: &str) -> Markup {
    html! {
        div .tile id={ "tile-" (id) } {
            span .label { (label) }
            span .value { "–" }
            span .quiet {}
        }
    }
}

fn panel(id: &str, title: &str, remark: &str) -> Markup {
    html! {
        div .panel {
            div .keys {
                @if !title.is_empty() {
                    strong { (title) }
                    span .quiet { (remark) }
                }
            }
            div .plot id=(id) role="img" aria-label="No data yet" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_fetches_from_its_own_server_alone() {
        let page = render_live();
        assert!(page.contains("connect-src 'self'"));
        for foreign in ["http://", "https://", "//cdn", "@import"] {
            let there = page.replace("http://www.w3.org/2000/svg", "").contains(foreign);
            assert!(!there, "{foreign}");
        }
    }

    #[test]
    fn every_element_that_the_script_asks_for_is_there() {
        let page = render_live();
        let asked = ["byId(\"", "setTile(\""].into_iter().flat_map(|call| SCRIPT.split(call).skip(1));
        let asked: Vec<&str> = asked.filter_map(|rest| rest.split('"').next()).collect();
        assert!(asked.len() > 10, "{asked:?}");
        for id in asked {
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }
}
