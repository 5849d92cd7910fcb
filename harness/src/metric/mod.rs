//! Metrics: everything that a gate can limit. [`rows`] contains them as one table. A row describes everything about a
//! metric: its key, its unit, what it needs, what it reads, why it may be missing, and its documentation. Parsing,
//! messages, the JSON Schema, `firedrill list --metrics` and the table in `docs/write-a-scenario.md` are derived from
//! the rows.
//!
//! A row's key is a pattern: a word in capitals stands for one of several words.
//!
//! | placeholder | stands for |
//! |---|---|
//! | `PHASE` | `before`, `during`, `recovery`, `after`, `all`, `fault.NAME`, `load.NAME` or `load.NAME.before` and so on; one kind of operation may follow: `after.read` |
//! | `QUANTILE` | `p50`, `p90`, `p95`, `p99`, `p999`, `max` or `mean` |
//! | `CHECKER` | the name of a checker |

mod measured;
mod rows;

use std::fmt::Write as _;

use firedrill_reports::run::PhaseName;

use crate::check;
use crate::gate::{Dimension, Measurable};
use crate::history::OpKind;
pub use crate::measure::Scope;
use crate::target::Ability;

pub use measured::Measured;
pub use rows::ROWS;

/// One metric.
pub struct Row {
    /// The pattern of its key: `fallback.lost`, `PHASE.QUANTILE`.
    pub key: &'static str,
    /// Its unit.
    pub dimension: Dimension,
    /// What a scenario must have for it to be measurable.
    pub needs: Need,
    /// Why it may be missing.
    pub missing: Missing,
    /// What it depends on.
    pub basis: Basis,
    /// Its meaning, in one line.
    pub about: &'static str,
    /// Its value, in the dimension's base unit (seconds, shares from 0 to 1, events per second, plain numbers, bytes).
    source: fn(&Measured<'_>, &Subject) -> Option<f64>,
}

/// What a scenario must have for a metric to be meaningful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// A fault that took hold: the metric measures from there.
    Fault,
    /// Nothing; but in a scenario with faults, it says how the target coped with them, and is meaningless if none took
    /// hold.
    FaultsToTakeHold,
    /// A phase that exists only with a fault, if the key names one.
    Phase,
    /// A target with this ability; for the fallback and the breaker, faults must take hold as in
    /// [`Need::FaultsToTakeHold`].
    Target(Ability),
    /// A fault that puts an impostor in Redis's place.
    Impostor,
    /// Claims.
    Claims,
}

/// What a metric depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The target's answers and the stored data: proven even if the harness was late.
    Contents,
    /// The timing of events: a stalled machine may have caused it.
    Time,
}

/// The meaning of a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// There was nothing to measure, for this reason: a gate on it is unknown.
    Unknown(&'static str),
    /// The event never happened: a gate on it fails.
    Never(&'static str),
}

/// A drill's measurement of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Actual {
    /// A value in the dimension's base unit.
    Value(f64),
    /// There is no value.
    Missing(Missing),
}

/// A figure of a latency distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// The arithmetic mean.
    Mean,
    /// The largest.
    Max,
    /// The value that this share of the operations does not exceed.
    Quantile(f64),
}

impl Figure {
    const ALL: [(&str, Figure); 7] = [
        ("p50", Figure::Quantile(0.5)),
        ("p90", Figure::Quantile(0.9)),
        ("p95", Figure::Quantile(0.95)),
        ("p99", Figure::Quantile(0.99)),
        ("p999", Figure::Quantile(0.999)),
        ("max", Figure::Max),
        ("mean", Figure::Mean),
    ];
}

/// The values of a row key's placeholders in a gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// `PHASE`.
    pub scope: Scope,
    /// The kind of operation after it; `None` for all of them.
    pub op: Option<OpKind>,
    /// `QUANTILE`.
    pub figure: Figure,
    /// `CHECKER`.
    pub checker: &'static str,
}

impl Default for Subject {
    fn default() -> Self {
        Self { scope: Scope::All, op: None, figure: Figure::Max, checker: "" }
    }
}

/// What a gate limits: a row, and the values of its placeholders.
#[derive(Clone)]
pub struct Metric {
    row: &'static Row,
    subject: Subject,
}

impl Metric {
    /// Its row of the table.
    pub fn row(&self) -> &'static Row {
        self.row
    }

    /// The values of its placeholders.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether it is measurable only if the scenario has a fault or a deploy.
    pub fn needs_fault(&self) -> bool {
        match (self.row.needs, &self.subject.scope) {
            (Need::Fault, _) | (Need::Phase, Scope::Fault(_)) => true,
            (Need::Phase, Scope::Phase(phase) | Scope::Load(_, Some(phase))) => *phase != PhaseName::Before,
            _ => false,
        }
    }

    /// Whether its period includes the faults: the whole load, the phase `during`, or a fault's own.
    pub fn covers_faults(&self) -> bool {
        let scope = &self.subject.scope;
        let during = matches!(scope, Scope::All | Scope::Fault(_) | Scope::Phase(PhaseName::During));
        let block_during = matches!(scope, Scope::Load(_, None | Some(PhaseName::During)));
        self.row.needs == Need::Phase && (during || block_during)
    }

    /// Whether it says how the target coped with the faults: if one never took effect, a failed gate on it is
    /// meaningless.
    pub fn is_about_faults(&self) -> bool {
        self.needs_fault()
            || matches!(self.row.needs, Need::FaultsToTakeHold | Need::Target(Ability::Fallback | Ability::Breaker))
    }

    /// Its value in a drill. A metric that depends on faults is missing if none took hold.
    pub fn actual(&self, measured: &Measured<'_>) -> Actual {
        let on_faults = match self.row.needs {
            Need::Fault => true,
            Need::FaultsToTakeHold | Need::Target(Ability::Fallback | Ability::Breaker) => measured.faults_planned,
            _ => false,
        };
        if on_faults && !measured.fault_took_hold {
            return Actual::Missing(Missing::Unknown("no fault took hold"));
        }
        (self.row.source)(measured, &self.subject).map_or(Actual::Missing(self.row.missing), Actual::Value)
    }
}

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metric").field("key", &self.row.key).field("subject", &self.subject).finish()
    }
}

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.row, other.row) && self.subject == other.subject
    }
}

impl Measurable for Metric {
    fn parse(key: &str) -> Option<Self> {
        let words: Vec<&str> = key.split('.').collect();
        ROWS.iter().find_map(|row| {
            let pattern: Vec<&str> = row.key.split('.').collect();
            fit(&pattern, &words).map(|subject| Metric { row, subject })
        })
    }

    fn dimension(&self) -> Dimension {
        self.row.dimension
    }

    fn keys(key: &str) -> Vec<String> {
        // The name of a fault or a load, which is not ours to correct, may be the second word.
        let name = key.split('.').nth(1).unwrap_or_default();
        ROWS.iter().flat_map(|row| keys(row.key, name)).collect()
    }

    fn renamed(key: &str) -> Option<String> {
        key.split('.').find_map(check::renamed)
    }

    fn known() -> String {
        let keys: Vec<&str> = ROWS.iter().map(|row| row.key).collect();
        format!("write one of {}; `firedrill list --metrics` explains them", keys.join(", "))
    }

    fn schema() -> schemars::Schema {
        let mut properties = serde_json::Map::new();
        let mut patterns = serde_json::Map::new();
        for row in &ROWS {
            let says = serde_json::json!({
                "type": "string", "description": row.about, "examples": [row.dimension.example()],
                "pattern": row.dimension.pattern(),
            });
            match row.key.chars().any(|letter| letter.is_ascii_uppercase()) {
                true => patterns.insert(regex(row.key), says),
                false => properties.insert(row.key.to_owned(), says),
            };
        }
        schemars::json_schema!({
            "type": "object", "properties": properties, "patternProperties": patterns, "additionalProperties": false,
        })
    }
}

/// The values of the placeholders of `pattern` in `words`; `None` if the words do not fit.
fn fit(pattern: &[&str], words: &[&str]) -> Option<Subject> {
    let mut subject = Subject::default();
    let mut words = words.iter().copied();
    for (at, part) in pattern.iter().enumerate() {
        let after = pattern.len() - at - 1;
        match *part {
            "PHASE" => {
                subject.scope = scope(&mut words, after)?;
                subject.op =
                    optional(&mut words, after, |word| OpKind::ALL.into_iter().find(|kind| kind.name() == word));
            }
            "QUANTILE" => {
                let word = words.next()?;
                subject.figure = Figure::ALL.iter().find(|(name, _)| *name == word)?.1;
            }
            "CHECKER" => subject.checker = check::named(words.next()?).ok()?.facts().name,
            literal if words.next() == Some(literal) => {}
            _ => return None,
        }
    }
    words.next().is_none().then_some(subject)
}

/// Parses an optional word: it is present only if more words follow than the `needed` ones.
fn optional<'a, T>(
    words: &mut (impl ExactSizeIterator<Item = &'a str> + Clone),
    needed: usize,
    read: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let found = words.clone().next().filter(|_| words.len() > needed).and_then(read);
    if found.is_some() {
        words.next();
    }
    found
}

fn scope<'a>(words: &mut (impl ExactSizeIterator<Item = &'a str> + Clone), needed: usize) -> Option<Scope> {
    match words.next()? {
        "all" => Some(Scope::All),
        "fault" => Some(Scope::Fault(words.next()?.to_owned())),
        "load" => {
            let name = words.next()?.to_owned();
            Some(Scope::Load(name, optional(words, needed, phase)))
        }
        word => phase(word).map(Scope::Phase),
    }
}

fn phase(word: &str) -> Option<PhaseName> {
    PhaseName::ALL.into_iter().find(|phase| phase.name() == word)
}

/// Every key of a pattern, where faults and loads are called `name`.
fn keys(pattern: &str, name: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    for part in pattern.split('.') {
        let words: Vec<String> = match part {
            "PHASE" => {
                let phases = || PhaseName::ALL.map(PhaseName::name).into_iter();
                let plain = phases().chain(["all"]).map(str::to_owned);
                let of_loads = phases().map(|phase| format!("load.{name}.{phase}"));
                let scopes = plain.chain([format!("fault.{name}"), format!("load.{name}")]).chain(of_loads);
                let with_kinds = |scope: String| {
                    let kinds = OpKind::ALL.map(|kind| format!("{scope}.{}", kind.name()));
                    std::iter::once(scope).chain(kinds)
                };
                scopes.flat_map(with_kinds).collect()
            }
            "QUANTILE" => Figure::ALL.iter().map(|(name, _)| (*name).to_owned()).collect(),
            "CHECKER" => check::all().iter().map(|checker| checker.facts().name.to_owned()).collect(),
            literal => vec![literal.to_owned()],
        };
        let joined = |before: &String, word: &String| match before.is_empty() {
            true => word.clone(),
            false => format!("{before}.{word}"),
        };
        keys = keys.iter().flat_map(|before| words.iter().map(move |word| joined(before, word))).collect();
    }
    keys
}

/// The keys of a pattern as a regular expression, for the JSON Schema.
fn regex(pattern: &str) -> String {
    let any = |words: Vec<&str>| format!("({})", words.join("|"));
    let parts = pattern.split('.').map(|part| match part {
        "PHASE" => {
            let phases = any(PhaseName::ALL.map(PhaseName::name).to_vec());
            let kinds = any(OpKind::ALL.map(OpKind::name).to_vec());
            let name = "[a-z0-9-]+";
            format!("(all|{phases}|fault\\.{name}|load\\.{name}(\\.{phases})?)(\\.{kinds})?")
        }
        "QUANTILE" => any(Figure::ALL.map(|(name, _)| name).to_vec()),
        "CHECKER" => any(check::all().iter().map(|checker| checker.facts().name).collect()),
        literal => literal.to_owned(),
    });
    format!("^{}$", parts.collect::<Vec<_>>().join("\\."))
}

/// The table in Markdown, for `docs/write-a-scenario.md`.
pub fn markdown() -> String {
    let mut table = "| key | unit | meaning |\n|---|---|---|\n".to_owned();
    for row in &ROWS {
        let _ = writeln!(table, "| `{}` | {} | {} |", row.key, row.dimension.name(), row.about);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(key: &str) -> Metric {
        Metric::parse(key).unwrap_or_else(|| panic!("{key} is not understood"))
    }

    #[test]
    fn each_row_is_found_by_its_key_and_by_no_other_rows() {
        for row in &ROWS {
            let key = row.key.replace("PHASE", "during").replace("QUANTILE", "p99").replace("CHECKER", "ttl");
            assert_eq!(metric(&key).row().key, row.key);
        }
    }

    #[test]
    fn placeholders_are_read() {
        let after = Scope::Phase(PhaseName::After);
        let subject = |key: &str| metric(key).subject().clone();
        assert_eq!(subject("after.errors").scope, after);
        assert_eq!(subject("all.errors").scope, Scope::All);
        let read = subject("after.read.p95");
        assert_eq!((read.scope, read.op, read.figure), (after, Some(OpKind::Read), Figure::Quantile(0.95)));
        let append = subject("before.append.service.max");
        assert_eq!((append.op, append.figure), (Some(OpKind::Append), Figure::Max));
        assert_eq!(subject("checks.lost-writes.offences").checker, "lost-writes");
        assert_eq!(subject("fault.slow.errors").scope, Scope::Fault("slow".to_owned()));
        let block = subject("load.small.read.p99");
        assert_eq!((block.scope, block.op), (Scope::Load("small".to_owned(), None), Some(OpKind::Read)));
        let during = subject("load.small.during.corrected.p99");
        assert_eq!(during.scope, Scope::Load("small".to_owned(), Some(PhaseName::During)));
    }

    #[test]
    fn the_phases_after_the_first_need_a_fault() {
        let needs = |key: &str| metric(key).needs_fault();
        assert!(needs("recovery") && needs("during.errors") && needs("after.read.p95") && needs("recovery.rate"));
        assert!(needs("fault.0.errors") && needs("load.0.during.p99") && !needs("load.0.p99"));
        assert!(!needs("before.errors") && !needs("all.p99") && !needs("fallback.activations"));
    }

    #[test]
    fn a_key_that_nothing_measures_is_not_understood() {
        let keys = [
            "during",
            "later.errors",
            "during.read",
            "during.fly.p95",
            "during.p96",
            "fallback",
            "checks.no-such.offences",
            "recovery.",
            "during.errors.p99",
            "load.small",
            "fault.errors",
        ];
        for key in keys {
            assert_eq!(Metric::parse(key), None, "{key}");
        }
    }

    #[test]
    fn the_schema_takes_each_key_and_its_pattern() {
        let schema = Metric::schema().to_value();
        assert!(schema["properties"]["fallback.lost"]["description"].is_string());
        let patterns = schema["patternProperties"].as_object().unwrap();
        assert!(
            patterns.keys().any(|key| key.contains("during|recovery|after)|fault\\.") && key.ends_with("\\.errors$")),
            "{patterns:?}"
        );
    }
}
