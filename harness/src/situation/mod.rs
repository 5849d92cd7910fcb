//! Situations: what must have happened in a drill for its claim to mean something. A drill that claims that a write of
//! unknown outcome is not counted twice proves nothing if no write's outcome was unknown. As a fault must bite, what a
//! scenario states under `[situations]` must have happened, or the drill is inconclusive.
//!
//! [`rows`] holds them as one table; a row describes everything about a situation (its key, what it needs, how it is
//! counted, its documentation). A key that ends in `KIND` stands for one per kind of operation, and `any` for all of them.
//! What is counted is in the history: see [`Times`] and `sessions`.

mod count;
mod of_history;
mod of_session;
mod reached;
mod rows;
#[cfg(test)]
mod tests;
mod times;

use std::fmt::Write as _;

use firedrill_reports::text;

use crate::gate::{Dimension, Limit, Measurable};
use crate::history::{History, OpKind};
use crate::measure::LoadOp;
use crate::target::Ability;
use of_session::Session;
use times::Times;

pub use count::count;
pub use reached::{States, reached};
pub use rows::ROWS;

/// What a key ends in that has a kind of operation there.
const KIND: &str = "KIND";
/// What stands for every kind.
const ANY: &str = "any";

/// A situation of the table.
pub struct Row {
    /// The pattern of its key: `conflicts`, `unknown.KIND`.
    pub key: &'static str,
    /// What is counted, one and many of them: `KIND of unknown outcome`, `KINDs of unknown outcome`.
    nouns: [&'static str; 2],
    /// Without which ability of the target it cannot be counted.
    pub ability: Option<Ability>,
    /// The operation without which it cannot happen, beside its own `KIND`.
    operation: Option<OpKind>,
    /// What is counted, in one line.
    pub about: &'static str,
    source: Source,
}

/// How a situation is counted.
enum Source {
    /// The operations of the load, of the kind asked for, for which this holds.
    Operations(fn(&LoadOp, &Times) -> bool),
    /// In each session; with the kind asked for.
    Sessions(fn(&Session<'_>, &Times, Option<OpKind>) -> u64),
    /// In the history as a whole.
    History(fn(&History, &Times) -> u64),
}

impl Row {
    /// What it is counted from, in a word.
    pub fn counted_from(&self) -> &'static str {
        match self.source {
            Source::Operations(_) => "operations",
            Source::Sessions(_) => "sessions",
            Source::History(_) => "history",
        }
    }
}

/// A situation that a scenario names: a row, and which operation its `KIND` is.
#[derive(Clone, Copy)]
pub struct Situation {
    row: &'static Row,
    /// `None`: all of them.
    kind: Option<OpKind>,
}

impl Situation {
    /// Its row of the table.
    pub fn row(&self) -> &'static Row {
        self.row
    }

    /// The operations without which it cannot happen.
    pub fn operations(&self) -> impl Iterator<Item = OpKind> {
        [self.row.operation, self.kind].into_iter().flatten()
    }

    /// So many of them in words: "3 appends of unknown outcome".
    pub fn counted(&self, found: u64) -> String {
        let name = self.kind.map_or("operation", OpKind::name);
        let plural = if name.ends_with("ch") { "es" } else { "s" };
        let noun = self.row.nouns[usize::from(found != 1)].replace("KINDs", &format!("{name}{plural}"));
        let number = if found == 0 { "no".to_owned() } else { text::count(found) };
        format!("{number} {}", noun.replace(KIND, name))
    }
}

impl std::fmt::Debug for Situation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Situation").field("key", &self.row.key).field("kind", &self.kind).finish()
    }
}

impl PartialEq for Situation {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.row, other.row) && self.kind == other.kind
    }
}

impl Measurable for Situation {
    fn parse(key: &str) -> Option<Self> {
        ROWS.iter().find_map(|row| {
            let Some(stem) = row.key.strip_suffix(KIND) else {
                return (row.key == key).then_some(Self { row, kind: None });
            };
            let word = key.strip_prefix(stem)?;
            let kind = OpKind::ALL.into_iter().find(|kind| kind.name() == word);
            (kind.is_some() || word == ANY).then_some(Self { row, kind })
        })
    }

    fn dimension(&self) -> Dimension {
        Dimension::Count
    }

    fn example(&self) -> &'static str {
        ">= 10"
    }

    fn objection(&self, limit: &Limit) -> Option<&'static str> {
        match limit.is_at_least() {
            false => Some("a situation states a minimum; limit what must not happen with a gate"),
            true if limit.holds(0.0) => Some("it holds where nothing has happened"),
            true => None,
        }
    }

    fn keys(_: &str) -> Vec<String> {
        let kinds = || OpKind::ALL.map(OpKind::name).into_iter().chain([ANY]);
        let each = |row: &Row| match row.key.strip_suffix(KIND) {
            Some(stem) => kinds().map(|kind| format!("{stem}{kind}")).collect(),
            None => vec![row.key.to_owned()],
        };
        ROWS.iter().flat_map(each).collect()
    }

    fn known() -> String {
        let keys: Vec<&str> = ROWS.iter().map(|row| row.key).collect();
        format!("write one of {}; `firedrill list --situations` explains them", keys.join(", "))
    }

    fn schema() -> schemars::Schema {
        let kinds: Vec<&str> = OpKind::ALL.map(OpKind::name).into_iter().chain([ANY]).collect();
        let mut properties = serde_json::Map::new();
        let mut patterns = serde_json::Map::new();
        for row in &ROWS {
            let says = serde_json::json!({
                "type": "string", "description": row.about, "pattern": Dimension::Count.pattern().replace("(<=|>=|==|<|>|=)", ">=?"), "examples": [">= 10"],
            });
            match row.key.strip_suffix(KIND) {
                Some(stem) => {
                    patterns.insert(format!("^{}({})$", stem.replace('.', "\\."), kinds.join("|")), says);
                }
                None => {
                    properties.insert(row.key.to_owned(), says);
                }
            }
        }
        schemars::json_schema!({
            "type": "object", "properties": properties, "patternProperties": patterns, "additionalProperties": false,
        })
    }
}

/// The table as Markdown, as `docs/write-a-scenario.md` has it.
pub fn markdown() -> String {
    let mut table = "| situation | counted from | what is counted |\n|---|---|---|\n".to_owned();
    for row in &ROWS {
        let _ = writeln!(table, "| `{}` | {} | {} |", row.key, row.counted_from(), row.about);
    }
    table
}
