//! The run's verdict, the gates and the checkers' verdicts.

use serde::{Deserialize, Serialize};

use crate::text;

/// The result of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every gate held, every check was valid, the fault took effect and the generator delivered.
    Passed,
    /// A gate failed or a check was invalid.
    Failed,
    /// No conclusion is possible: the fault never took effect, the generator missed its rate, a checker ran out of
    /// time.
    Inconclusive,
    /// The user stopped the drill early.
    Interrupted,
}

impl Verdict {
    /// The exit status of the command for a drill with this verdict.
    pub fn exit_status(self) -> i32 {
        match self {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::Inconclusive => 3,
            Verdict::Interrupted => 130,
        }
    }

    /// Its name in `run.json` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Interrupted => "interrupted",
        }
    }
}

/// A limit, and whether it held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name in the scenario, such as `during.errors`.
    pub name: String,
    /// The limit as written in the scenario, such as `<= 1%`.
    pub limit: String,
    /// The unit of `actual`.
    pub unit: Unit,
    /// The measured value; absent if there was nothing to measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<f64>,
    /// The measured value for display, such as `0.4 %`; `not measured` if absent.
    pub actual_text: String,
    /// Whether the limit held.
    pub verdict: GateVerdict,
    /// A remark for the reader; may be empty.
    #[serde(default)]
    pub note: String,
    /// Whether the gate is implicit: outside the faults, the steady state is the limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub implied: bool,
}

impl Gate {
    /// A gate with the text of `actual` filled in. A non-finite `actual` counts as not measured.
    pub fn new(
        name: impl Into<String>,
        limit: impl Into<String>,
        unit: Unit,
        actual: Option<f64>,
        verdict: GateVerdict,
    ) -> Self {
        let actual = actual.filter(|value| value.is_finite());
        Self {
            name: name.into(),
            limit: limit.into(),
            unit,
            actual,
            actual_text: actual.map_or_else(|| "not measured".to_string(), |value| unit.text(value)),
            verdict,
            note: String::new(),
            implied: false,
        }
    }

    /// The same gate with a note.
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// The unit of a gate's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// A fraction from 0 to 1, shown in percent.
    Share,
    /// A number of things.
    Count,
    /// A number of things per second.
    PerSecond,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// Formats `value`, a finite number of this unit.
    pub fn text(self, value: f64) -> String {
        match self {
            Unit::Milliseconds => text::millis(value),
            Unit::Share => text::percent(value),
            Unit::Count => text::number(value),
            Unit::PerSecond => text::rate(value),
            Unit::Bytes => text::bytes(value),
        }
    }
}

/// Whether a gate's limit held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateVerdict {
    /// It held.
    Pass,
    /// The limit did not hold.
    Fail,
    /// There was nothing to measure.
    Unknown,
}

impl GateVerdict {
    /// The word for a measured claim.
    pub fn of_claim(self) -> &'static str {
        match self {
            GateVerdict::Pass => "proven",
            GateVerdict::Fail => "refuted",
            GateVerdict::Unknown => "not measured",
        }
    }

    /// Its name in `run.json` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            GateVerdict::Pass => "pass",
            GateVerdict::Fail => "fail",
            GateVerdict::Unknown => "unknown",
        }
    }
}

/// A checker's finding about the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The checker's name, such as `lost-writes`.
    pub name: String,
    /// What it checks, in a sentence.
    #[serde(default)]
    pub about: String,
    /// Its result.
    pub verdict: CheckVerdict,
    /// Whether the result counts towards the drill's verdict; a scenario may ask to show it only.
    #[serde(default = "counts")]
    pub counts: bool,
    /// How many things (operations, tokens, keys) the checker examined.
    pub examined: u64,
    /// How many of them broke the promise.
    pub offences: u64,
    /// How many sessions the offences are of.
    #[serde(default, skip_serializing_if = "is_none")]
    pub sessions: u64,
    /// The result in a sentence.
    #[serde(default)]
    pub summary: String,
    /// Why, as far as the history tells; the most frequent cause first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<OffenceCause>,
    /// The first few offences.
    #[serde(default)]
    pub samples: Vec<Offence>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Check {
    /// Whether it is valid only for lack of anything to examine.
    pub fn vacuous(&self) -> bool {
        self.verdict == CheckVerdict::Valid && self.examined == 0
    }
}

/// Runs from before this distinction counted every check.
fn counts() -> bool {
    true
}

/// The possible results of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckVerdict {
    /// The promise held.
    Valid,
    /// The promise did not hold.
    Invalid,
    /// The history does not say.
    Unknown,
}

impl CheckVerdict {
    /// Its name in `run.json` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            CheckVerdict::Valid => "valid",
            CheckVerdict::Invalid => "invalid",
            CheckVerdict::Unknown => "unknown",
        }
    }
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offence {
    /// The affected session, by number or id; empty if there is none.
    #[serde(default)]
    pub session: String,
    /// The operations that prove it, by their index in the history.
    #[serde(default)]
    pub operations: Vec<u64>,
    /// When it became visible, on the drill's clock in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<f64>,
    /// What happened, in a sentence.
    pub text: String,
    /// Its cause: the `text` of one of the check's causes; empty if it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
}

/// What several offences against one promise have in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OffenceCause {
    /// Who acknowledged the writes and what destroyed them: `made by the fallback, dropped at 10.31 s under policy degrade`.
    pub text: String,
    /// When what destroyed them happened, on the drill's clock in milliseconds; absent if nothing tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<f64>,
    /// How many offences it explains.
    pub offences: u64,
    /// How many sessions they are of.
    pub sessions: u64,
    /// When the first of the writes was acknowledged.
    pub from_ms: f64,
    /// When the last of them was.
    pub to_ms: f64,
    /// The writes by operation.
    pub kinds: Vec<KindCount>,
    /// The first of the writes, by their index in the history.
    pub operations: Vec<u64>,
}

/// How many operations of one kind there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCount {
    /// The operation, such as `append`.
    pub op: String,
    /// Their number.
    pub count: u64,
}
