//! A run as one self-contained HTML file: its content needs neither network nor script. It tells a story in the order in
//! which people ask: the verdict, what happened when, what was lost and why, which promises held, how fast it was, whether
//! the generator delivered, and how to repeat it. A short script shows values under the pointer and for the arrow keys.

#[cfg(test)]
mod bad_input;
mod bands;
mod broken;
mod capacity;
mod chart;
mod compare;
mod evidence;
mod faults;
mod generator;
mod impact;
mod library;
mod live;
mod origin;
mod parts;
mod promises;
mod situations;
mod tail;
mod timeline;
mod verdict;
mod words;

pub use compare::render_comparison;
pub use evidence::render_evidence;
pub use library::{Shown, place, render_library};
pub use live::{LIVE_POLICY, render_live};
use maud::{DOCTYPE, Markup, PreEscaped, html};
#[cfg(feature = "ci")]
pub(crate) use parts::{column_head, link};

use crate::run::Run;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("hover.js");

/// Nothing may be fetched, whatever a browser extension or a mistake in this code tries.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

pub use capacity::render_capacity;

/// A section of the report.
struct Section {
    /// Its id in the page.
    id: &'static str,
    /// Its name in the contents list.
    name: &'static str,
    render: fn(&Run) -> Markup,
}

/// The sections in reading order.
const SECTIONS: [Section; 7] = [
    Section { id: "verdict", name: "Verdict", render: verdict::section },
    Section { id: "timeline", name: "What happened when", render: timeline::section },
    Section { id: "lost", name: "What was lost, and why", render: broken::section },
    Section { id: "promises", name: "Promises", render: promises::section },
    Section { id: "tail", name: "Figures", render: tail::section },
    Section { id: "generator", name: "Generator", render: generator::section },
    Section { id: "origin", name: "Run it again", render: origin::section },
];

/// Renders `run` as a complete page.
pub fn render_html(run: &Run) -> String {
    let content = html! {
        (contents())
        @for section in &SECTIONS { ((section.render)(run)) }
    };
    whole(&format!("{}: {}", run.scenario.name, run.verdict.name()), &content, &script())
}

fn contents() -> Markup {
    html! {
        nav.contents aria-label="Contents" {
            ul { @for Section { id, name, .. } in &SECTIONS { li { a href={ "#" (id) } { (name) } } } }
        }
    }
}

fn script() -> Markup {
    html! { script { (PreEscaped(SCRIPT)) } }
}

/// A page in the report's look whose wide tables can be scrolled by keys.
fn page_with_keys(title: &str, content: &Markup) -> String {
    whole(title, content, &script())
}

/// A page in the report's look, without a script.
pub(crate) fn page(title: &str, content: &Markup) -> String {
    whole(title, content, &Markup::default())
}

fn whole(title: &str, content: &Markup, script: &Markup) -> String {
    Page { title, policy: POLICY, style: STYLE, above: &Markup::default(), content }.render(script)
}

/// A whole page.
struct Page<'a> {
    title: &'a str,
    /// What it may fetch and run.
    policy: &'a str,
    style: &'a str,
    /// What stands above the content, outside its margins.
    above: &'a Markup,
    content: &'a Markup,
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
