//! Operations as a table for people, with the faults and the store's events between them.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::RangeInclusive;

use firedrill_reports::text;

use crate::clock::Nanos;
use crate::history::{Cause, FOREIGN, History, Note, OpKind, OpRecord, Selection, Step, Token};

/// Names of the columns.
const HEADINGS: [&str; 7] = ["at/s", "took", "op", "session", "what", "outcome", "answer"];

/// Columns of numbers are aligned to the right.
const FIGURES: usize = 4;

/// The marks before operations that the command line names, and before the others.
const MARKS: [&str; 2] = [">", " "];

/// A table that is written line by line: it takes no memory for operations besides the history's.
pub struct Table<'h> {
    history: &'h History,
    selection: &'h Selection,
    /// The writes that the command line names.
    named: Vec<&'h OpRecord>,
    /// The widest cell of each column but the last.
    widths: [usize; HEADINGS.len() - 1],
    columns: usize,
}

impl<'h> Table<'h> {
    /// The operations and notes of `history`, which has only the selected operations, in at most `columns` columns.
    pub fn of(history: &'h History, selection: &'h Selection, columns: usize) -> Self {
        let mut widths = [0; HEADINGS.len() - 1];
        let is_named = |op: &&OpRecord| selection.names(op.index) && op.writes_token();
        let named = history.ops.ops.iter().filter(is_named).collect();
        let mut table = Self { history, selection, named, widths, columns };
        let headings = HEADINGS.map(str::to_owned);
        for cells in history.ops.ops.iter().map(|op| table.cells(op)).chain([headings]) {
            widths.iter_mut().zip(&cells).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
        }
        table.widths = widths;
        table
    }

    /// Writes the table; nothing if it has no operation.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(period) = self.period() else { return Ok(()) };
        writeln!(out, "\n{}", self.line(MARKS[1], &HEADINGS.map(str::to_owned)))?;
        let mut notes = self.history.notes.iter().filter(|note| period.contains(&note.at())).peekable();
        let mut step = None;
        for op in &self.history.ops.ops {
            while let Some(note) = notes.next_if(|note| note.at() <= op.started) {
                self.write_note(note, out)?;
            }
            if step != Some(op.step) && (step.is_some() || op.step != Step::Load) {
                writeln!(out, "  -- {} --", heading(op.step))?;
            }
            step = Some(op.step);
            let mark = MARKS[usize::from(!self.selection.names(op.index))];
            writeln!(out, "{}", self.line(mark, &self.cells(op)))?;
        }
        notes.try_for_each(|note| self.write_note(note, out))
    }

    /// The period whose notes are shown: that of the operations, and all that the command line asks for.
    fn period(&self) -> Option<RangeInclusive<Nanos>> {
        let ops = &self.history.ops.ops;
        let (first, last) = (ops.first()?.started, ops.iter().map(|op| op.ended).max()?);
        let asked = self.selection.period.clone().unwrap_or(first..=last);
        Some(first.min(*asked.start())..=last.max(*asked.end()))
    }

    fn line(&self, mark: &str, cells: &[String; HEADINGS.len()]) -> String {
        let mut line = mark.to_owned();
        for (at, (cell, width)) in cells.iter().zip(self.widths).enumerate() {
            let _ = match at < FIGURES {
                true => write!(line, " {cell:>width$}"),
                false => write!(line, " {cell:width$}"),
            };
        }
        if let Some(answer) = cells.last() {
            let _ = write!(line, " {answer}");
        }
        cut(line.trim_end(), self.columns)
    }

    fn write_note(&self, note: &Note, out: &mut dyn Write) -> io::Result<()> {
        let [at, took, ..] = self.widths;
        let text = format!("  {:>at$} {:took$} {}", seconds(note.at()), "--", told(note));
        writeln!(out, "{}", cut(&text, self.columns))
    }

    fn cells(&self, op: &OpRecord) -> [String; HEADINGS.len()] {
        let outcome = match op.cause {
            // Every degraded answer is the fallback's.
            Cause::None | Cause::Fallback => op.outcome.name().to_owned(),
            cause => format!("{}: {}", op.outcome.name(), cause.name()),
        };
        [
            seconds(op.started),
            text::millis((op.ended - op.started) as f64 / 1e6),
            op.index.to_string(),
            op.session.to_string(),
            op.kind.name().to_owned(),
            outcome,
            self.answer(op),
        ]
    }

    /// What the target answered, in a few words; an item is called by the operation that wrote it.
    fn answer(&self, op: &OpRecord) -> String {
        let mut parts = Vec::new();
        if op.denies_session() {
            parts.push("no such session".to_owned());
        }
        if op.owner != OpRecord::NO_OWNER && op.owner != op.session {
            parts.push(format!("data of session {}", op.owner));
        }
        if self.history.header.instances.get() > 1 {
            parts.push(format!("store {}", self.history.header.instance_of(op.process)));
        }
        let tokens = self.history.ops.tokens_of(op);
        match op.kind {
            OpKind::Count => parts.extend(tokens.first().map(|count| format!("{count} sessions"))),
            OpKind::Revisit => parts.extend((tokens == [1]).then(|| "found under its old id".to_owned())),
            OpKind::Award => parts.extend(tokens.first().map(|token| format!("claimed by {}", writer(*token)))),
            OpKind::List => parts.extend((!tokens.is_empty()).then(|| listed(tokens))),
            OpKind::Read if self.history.header.counter => {
                parts.extend(tokens.first().map(|count| format!("shows {count}")))
            }
            OpKind::Read if op.is_answered_read() && !op.denies_session() => self.add_items(op, tokens, &mut parts),
            _ => {}
        }
        if op.version != 0 {
            parts.push(format!("v{}", op.version));
        }
        parts.join(", ")
    }

    /// How many items a read found, and which of the named writes to its session it lacks; without named ones, the last items.
    fn add_items(&self, op: &OpRecord, tokens: &[Token], parts: &mut Vec<String>) {
        let lacking = self.named.iter().filter(|write| {
            write.session == op.session && write.started < op.ended && !tokens.contains(&write.token())
        });
        let lacking: Vec<String> = lacking.map(|write| write.index.to_string()).collect();
        let items = text::counted(tokens.len() as u64, "item");
        match (lacking.as_slice(), tokens.last()) {
            ([], Some(last)) => parts.push(format!("{items}, last {}", writer(*last))),
            ([], None) => parts.push(items),
            (lacking, _) => parts.push(format!("{items}, not {}", lacking.join(" "))),
        }
    }
}

fn heading(step: Step) -> &'static str {
    match step {
        Step::Preload => "sessions made before the load",
        Step::Warmup => "warm-up",
        Step::Load => "load",
        Step::Final => "final reads",
    }
}

/// The operation that wrote `token`.
fn writer(token: Token) -> String {
    token.checked_sub(1).map_or("nobody".to_owned(), |index| index.to_string())
}

fn listed(sessions: &[Token]) -> String {
    let foreign = sessions.iter().filter(|session| **session == FOREIGN).count() as u64;
    let all = text::counted(sessions.len() as u64, "session");
    if foreign > 0 { format!("{all}, {foreign} of nobody's") } else { all }
}

fn seconds(at: Nanos) -> String {
    format!("{:.3}", at as f64 / 1e9)
}

/// A note in words: its name and its fields, as in the file.
fn told(note: &Note) -> String {
    let fields = match serde_json::to_value(note) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => return String::new(),
    };
    let word = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut text = fields.get("event").map(word).unwrap_or_default();
    for (name, value) in fields.iter().filter(|(name, _)| !matches!(name.as_str(), "event" | "at")) {
        let _ = write!(text, ", {name} {}", word(value));
    }
    text
}

/// `text` in at most `columns` columns.
fn cut(text: &str, columns: usize) -> String {
    match text.chars().count() > columns {
        true => text.chars().take(columns.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{header, read};
    use crate::history::{OpBatch, Outcome, Presence};

    fn history() -> History {
        let second = 1_000_000_000;
        let ops = vec![
            OpRecord { kind: OpKind::Create, step: Step::Preload, session: 7, ..read(-2 * second..-second) },
            OpRecord {
                index: 4_711,
                kind: OpKind::Append,
                session: 7,
                outcome: Outcome::Unknown,
                cause: Cause::ConnectionLost,
                ..read(second..second + 2_500_000)
            },
            OpRecord { index: 4_712, session: 7, tokens_len: 2, version: 3, ..read(2 * second..2 * second + 80_000) },
            OpRecord {
                index: 4_713,
                session: 7,
                presence: Presence::Absent,
                step: Step::Final,
                ..read(9 * second..9 * second + 1_000_000)
            },
        ];
        let notes = vec![
            Note::FaultOn { at: second / 2, fault: 0, kind: "proxy.down".to_owned() },
            Note::StoreRebuilt { at: 20 * second },
        ];
        History { header: header(1), ops: OpBatch { ops, tokens: vec![1, 90] }, notes }
    }

    fn written(selection: &Selection, columns: usize) -> String {
        let (history, mut out) = (history(), Vec::new());
        Table::of(&history, selection, columns).write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn operations_stand_between_the_faults_in_the_order_in_which_they_were_sent() {
        let expected = "
    at/s   took   op session what   outcome                  answer
  -- sessions made before the load --
  -2.000    1 s    0       7 create ok
   0.500 --     fault-on, fault 0, kind proxy.down
  -- load --
   1.000 2.5 ms 4711       7 append unknown: connection-lost
   2.000  80 µs 4712       7 read   ok                       2 items, last 89, v3
  -- final reads --
   9.000   1 ms 4713       7 read   ok                       no such session
";
        assert_eq!(written(&Selection::default(), 100), expected);
    }

    #[test]
    fn named_operations_are_marked_and_a_read_says_which_of_them_it_lacks() {
        let table = written(&Selection { operations: vec![4_711], ..Selection::default() }, 100);
        assert!(table.contains("\n>  1.000 2.5 ms 4711 "), "{table}");
        assert!(table.contains(" ok                       2 items, not 4711, v3\n"), "{table}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let table = written(&Selection { operations: vec![4_711], ..Selection::default() }, 60);
        assert!(table.lines().all(|line| line.chars().count() <= 60), "{table}");
        assert!(table.contains("2 items…") || table.contains('…'), "{table}");
    }
}
