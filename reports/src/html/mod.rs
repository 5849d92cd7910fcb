//! A run as one HTML file that needs nothing else: no network, no script to be complete. Its sections stand in the order in
//! which a person asks: the verdict, whether the generator delivered, what happened when, the tail, and how to do it
//! again. A script of a few lines shows values under the pointer.

mod chart;
mod faults;
mod generator;
mod markup;
mod origin;
mod tail;
mod timeline;
mod verdict;

use crate::run::{Check, CheckVerdict, GateVerdict, Run, Verdict};
use markup::Html;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("hover.js");

/// Nothing is fetched, whatever a browser extension or a mistake here may try.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// The whole page of `run`.
pub fn render_html(run: &Run) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html>\n");
    html.el("html", &[("lang", "en")], |page| {
        page.el("head", &[], |head| {
            head.raw("<meta charset=\"utf-8\">");
            head.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
            head.raw("<meta name=\"color-scheme\" content=\"light dark\">");
            head.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
            head.raw("<link rel=\"icon\" href=\"data:,\">");
            head.leaf("title", &[], &format!("{}: {}", run.scenario.name, run.verdict.name()));
            head.el("style", &[], |style| style.raw(STYLE));
        });
        page.el("body", &[], |body| {
            body.el("main", &[], |main| {
                verdict::section(run, main);
                generator::section(run, main);
                timeline::section(run, main);
                tail::section(run, main);
                origin::section(run, main);
            });
            body.el("script", &[], |script| script.raw(SCRIPT));
        });
    });
    html.into_string()
}

/// A section with its heading.
fn section(id: &str, heading: &str, html: &mut Html, content: impl FnOnce(&mut Html)) {
    html.el("section", &[("id", id)], |section| {
        section.leaf("h2", &[], heading);
        content(section);
    });
}

/// A value on a card: what it is, the value, and what stands beside it.
fn tile(label: &str, value: &str, beside: &str, class: &str, html: &mut Html) {
    html.el("div", &[("class", &format!("tile {class}"))], |tile| {
        tile.leaf("span", &[("class", "label")], label);
        tile.leaf("span", &[("class", "value")], value);
        tile.leaf("span", &[("class", "quiet")], beside);
    });
}

/// A name beside a patch of its colour in the charts.
fn named(name: &str, html: &mut Html) {
    html.el("span", &[("class", "named")], |span| {
        span.leaf("i", &[("class", &format!("swatch {name}"))], "");
        span.text(name);
    });
}

/// A verdict as a sign and a word in its colour.
fn chip(answer: impl Answer, html: &mut Html) {
    let (class, word) = answer.chip();
    html.leaf("span", &[("class", &format!("chip {class}"))], word);
}

/// Something that is good, bad or doubtful.
trait Answer {
    /// Its style class and its word.
    fn chip(self) -> (&'static str, &'static str);
}

impl Answer for Verdict {
    fn chip(self) -> (&'static str, &'static str) {
        let class = match self {
            Verdict::Passed => "good",
            Verdict::Failed => "bad",
            Verdict::Inconclusive | Verdict::Interrupted => "doubtful",
        };
        (class, self.name())
    }
}

impl Answer for GateVerdict {
    fn chip(self) -> (&'static str, &'static str) {
        let class = match self {
            GateVerdict::Pass => "good",
            GateVerdict::Fail => "bad",
            GateVerdict::Unknown => "doubtful",
        };
        (class, self.name())
    }
}

impl Answer for &Check {
    fn chip(self) -> (&'static str, &'static str) {
        let class = match self.verdict {
            CheckVerdict::Valid => "good",
            _ if !self.counts => return ("plain", "reported"),
            CheckVerdict::Invalid => "bad",
            CheckVerdict::Unknown => "doubtful",
        };
        (class, self.verdict.name())
    }
}
