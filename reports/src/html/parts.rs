//! Pieces that the sections share.

use maud::{Markup, Render, html};

use crate::describe;
use crate::run::{Check, CheckVerdict, GateVerdict, Verdict};

/// A section with its heading.
pub(super) fn section(id: &str, heading: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) {
            h2 { (heading) }
            (content)
        }
    }
}

/// A table with a heading row above `rows`. Columns from `figures_from` on contain numbers.
pub(super) fn table(heads: &[&str], figures_from: usize, rows: &Markup) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        @for (column, name) in heads.iter().enumerate() {
                            (column_head(name, column >= figures_from))
                        }
                    }
                }
                tbody { (rows) }
            }
        }
    }
}

/// The head of a column, which may contain numbers. Without a name it is a plain cell: a head that is read out as nothing
/// misleads.
pub(crate) fn column_head(name: &str, figure: bool) -> Markup {
    html! {
        @if name.is_empty() { td {} } @else { th.figure[figure] scope="col" { (name) } }
    }
}

/// Content that opens on demand. Printed pages show it only if it is `held`: what went well, and is folded to leave room for
/// what did not.
pub(super) fn fold(summary: &Markup, held: bool, open: bool, content: &Markup) -> Markup {
    html! {
        details.held[held] open[open] {
            summary { (summary) }
            (content)
        }
    }
}

/// A link to a file in the page's own folder, by its relative URL (RFC 3986, 2.1): a `:` in a name must not become a scheme.
pub(crate) fn link(path: &str) -> String {
    let mut url = String::from("./");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

/// A value on a card.
pub(super) struct Tile<'a> {
    /// Its label.
    pub(super) label: &'static str,
    /// The value.
    pub(super) value: &'a str,
    /// The text next to it.
    pub(super) beside: &'a str,
    /// Whether it should alarm the reader.
    pub(super) alarm: bool,
}

impl Render for Tile<'_> {
    fn render(&self) -> Markup {
        html! {
            div.tile.alarm[self.alarm] {
                span.label { (self.label) }
                span.value { (self.value) }
                span.quiet { (self.beside) }
            }
        }
    }
}

/// A value on a card that is no cause for alarm.
pub(super) fn tile(label: &'static str, value: &str, beside: &str) -> Markup {
    Tile { label, value, beside, alarm: false }.render()
}

/// A name next to a swatch of its colour in the charts.
pub(super) fn named(name: &str) -> Markup {
    html! { span.named { i class={ "swatch " (name) } {} (name) } }
}

/// A verdict as a word in its colour.
pub(super) fn chip(answer: impl Answer) -> Markup {
    let (class, word) = answer.chip();
    html! { span class={ "chip " (class) } { (word) } }
}

/// Something good, bad or doubtful.
pub(super) trait Answer {
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
            _ if self.vacuous() => "plain",
            CheckVerdict::Valid => "good",
            _ if !self.counts => "plain",
            CheckVerdict::Invalid => "bad",
            CheckVerdict::Unknown => "doubtful",
        };
        (class, describe::answer(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_its_file_whatever_the_name() {
        assert_eq!(link("a:b c/r%.html"), "./a%3Ab%20c/r%25.html");
    }
}
