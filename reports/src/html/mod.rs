//! A run as one HTML file that needs nothing else: no network, no script for its content. Its sections are in the order in
//! which a person asks: the verdict, whether the generator delivered, what happened when, the tail, and how to do it
//! again. A script of a few lines shows values under the pointer.

mod chart;
mod faults;
mod generator;
mod origin;
mod parts;
mod situations;
mod tail;
mod timeline;
mod verdict;

use maud::{DOCTYPE, PreEscaped, html};

use crate::run::Run;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("hover.js");

/// Nothing is fetched, whatever a browser extension or a mistake here may try.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// The whole page of `run`.
pub fn render_html(run: &Run) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (run.scenario.name) ": " (run.verdict.name()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (verdict::section(run))
                    (generator::section(run))
                    (timeline::section(run))
                    (tail::section(run))
                    (origin::section(run))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut page = page.into_string();
    // HTML forbids control characters, and a message of some server may hold one
    // (<https://html.spec.whatwg.org/multipage/parsing.html#preprocessing-the-input-stream>).
    page.retain(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'));
    page
}
