//! A run as one self-contained HTML file: its content needs neither network nor script. The sections are in the order
//! in which people ask: the verdict, whether the generator delivered, what happened when, the tail, and how to repeat
//! it. A short script shows values under the pointer.

#[cfg(test)]
mod bad_input;
mod capacity;
mod chart;
mod compare;
mod faults;
mod generator;
mod live;
mod origin;
mod parts;
mod situations;
mod tail;
mod timeline;
mod verdict;

pub use compare::render_comparison;
pub use live::{LIVE_POLICY, render_live};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::run::Run;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("hover.js");

/// Nothing may be fetched, whatever a browser extension or a mistake in this code tries.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

pub use capacity::render_capacity;

/// Renders `run` as a complete page.
pub fn render_html(run: &Run) -> String {
    let content = html! {
        (verdict::section(run))
        (generator::section(run))
        (timeline::section(run))
        (tail::section(run))
        (origin::section(run))
    };
    let script = html! { script { (PreEscaped(SCRIPT)) } };
    whole(&format!("{}: {}", run.scenario.name, run.verdict.name()), &content, &script)
}

/// A page in the report's look, without a script.
pub(crate) fn page(title: &str, content: &Markup) -> String {
    whole(title, content, &Markup::default())
}

fn whole(title: &str, content: &Markup, script: &Markup) -> String {
    let nothing = Markup::default();
    Page { title, policy: POLICY, style: STYLE, above: &nothing, content, below: &nothing }.render(script)
}

/// A whole page.
struct Page<'a> {
    title: &'a str,
    /// What it may fetch and run.
    policy: &'a str,
    style: &'a str,
    /// What stands above and below the content, outside its margins.
    above: &'a Markup,
    content: &'a Markup,
    below: &'a Markup,
}

impl Page<'_> {
    fn render(&self, script: &Markup) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(self.policy);
                    link rel="icon" href="data:,";
                    title { (self.title) }
                    style { (PreEscaped(self.style)) }
                }
                body {
                    (self.above)
                    main { (self.content) }
                    (self.below)
                    (script)
                }
            }
        };
        let mut page = page.into_string();
        // HTML forbids control characters, and a server's message may contain one
        // (<https://html.spec.whatwg.org/multipage/parsing.html#preprocessing-the-input-stream>).
        page.retain(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'));
        page
    }
}
