//! Colours and tables. Colour alone never carries meaning: every mark is also a sign and a word.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use super::Style;
use crate::run::{CheckVerdict, GateVerdict, Verdict};

/// What a text should signal to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Doubtful,
    Quiet,
    Strong,
    Plain,
}

impl Tone {
    /// The parameter of the SGR control sequence (ECMA-48, 8.3.117).
    fn sgr(self) -> Option<&'static str> {
        match self {
            Tone::Good => Some("1;32"),
            Tone::Bad => Some("1;31"),
            Tone::Doubtful => Some("1;33"),
            Tone::Quiet => Some("2"),
            Tone::Strong => Some("1"),
            Tone::Plain => None,
        }
    }
}

/// A sign and a tone for each result.
pub(super) trait Marked {
    fn mark(self) -> (&'static str, Tone);
}

const GOOD: (&str, Tone) = ("✓", Tone::Good);
const BAD: (&str, Tone) = ("✗", Tone::Bad);
const DOUBTFUL: (&str, Tone) = ("?", Tone::Doubtful);

impl Marked for Verdict {
    fn mark(self) -> (&'static str, Tone) {
        match self {
            Verdict::Passed => GOOD,
            Verdict::Failed => BAD,
            Verdict::Inconclusive | Verdict::Interrupted => DOUBTFUL,
        }
    }
}

impl Marked for GateVerdict {
    fn mark(self) -> (&'static str, Tone) {
        match self {
            GateVerdict::Pass => GOOD,
            GateVerdict::Fail => BAD,
            GateVerdict::Unknown => DOUBTFUL,
        }
    }
}

impl Marked for CheckVerdict {
    fn mark(self) -> (&'static str, Tone) {
        match self {
            CheckVerdict::Valid => GOOD,
            CheckVerdict::Invalid => BAD,
            CheckVerdict::Unknown => DOUBTFUL,
        }
    }
}

impl Style {
    /// `text` in the colour of `tone`.
    pub(super) fn paint(self, text: &str, tone: Tone) -> String {
        match tone.sgr() {
            Some(sgr) if self.colour => format!("\u{1b}[{sgr}m{text}\u{1b}[0m"),
            _ => text.to_string(),
        }
    }

    /// An empty table without lines, indented by two columns and limited to the width.
    pub(super) fn table(self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(self.columns());
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table
    }
}

/// A cell in the colour of `tone`.
pub(super) fn cell(text: impl ToString, tone: Tone) -> Cell {
    let text = printable(&text.to_string());
    let tone = if text.is_empty() { Tone::Plain } else { tone };
    let cell = Cell::new(text);
    match tone {
        Tone::Good => cell.fg(Color::DarkGreen).add_attribute(Attribute::Bold),
        Tone::Bad => cell.fg(Color::DarkRed).add_attribute(Attribute::Bold),
        Tone::Doubtful => cell.fg(Color::DarkYellow).add_attribute(Attribute::Bold),
        Tone::Quiet => cell.add_attribute(Attribute::Dim),
        Tone::Strong => cell.add_attribute(Attribute::Bold),
        Tone::Plain => cell,
    }
}

/// A cell of a column of numbers.
pub(super) fn figure(text: impl ToString, tone: Tone) -> Cell {
    cell(text, tone).set_alignment(CellAlignment::Right)
}

/// `text` without control characters: a scenario's name must not be able to move the cursor.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
