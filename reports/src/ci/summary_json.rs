//! `summary.json`: the invocation for scripts, one entry per scenario with what it was judged on. The whole record of a
//! drill is its `run.json`, whose path each entry has. `docs/gate-a-pipeline.md` describes the fields.

use serde::{Deserialize, Serialize};

use super::drilled::{Drilled, Invocation};
use crate::compare::Comparison;
use crate::run::{CheckVerdict, Gate, GateVerdict, Unit};

/// The file's name.
pub const FILE: &str = "summary.json";

/// The version of the format. It increases only if a reader of the older version would misunderstand the file.
pub const SCHEMA_VERSION: u32 = 1;

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of the format; see [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the Firedrill that ran the drills.
    pub firedrill_version: String,
    /// The command's exit status.
    pub exit_status: i32,
    /// The scenarios, in the order of the command line.
    pub scenarios: Vec<Entry>,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its file; absent for a shipped scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `passed`, `failed`, `inconclusive`, `interrupted` or `not-run`.
    pub verdict: String,
    /// The command's exit status if this were its only scenario.
    pub exit_status: i32,
    /// Why it did not pass, the most important reason first.
    pub reasons: Vec<String>,
    /// The seed; absent if it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// When its load started: RFC 3339, UTC; absent if it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// The length of its load, in seconds; absent if it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_seconds: Option<f64>,
    /// Its gates.
    pub gates: Vec<Limited>,
    /// Its checks.
    pub checks: Vec<Checked>,
    /// Its `run.json`, relative to this file's folder; absent if it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Its report, relative to this file's folder; absent if it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// The comparison with the baseline; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Comparison>,
    /// The page of that comparison, relative to this file's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<String>,
}

/// A gate: always with its limit and with what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limited {
    /// Its name in the scenario.
    pub name: String,
    /// Its verdict.
    pub verdict: GateVerdict,
    /// Its limit as written in the scenario.
    pub limit: String,
    /// The unit of `actual`.
    pub unit: Unit,
    /// What was measured; absent if there was nothing to measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<f64>,
    /// The same for people.
    pub actual_text: String,
}

/// A check's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The checker's name.
    pub name: String,
    /// Its verdict.
    pub verdict: CheckVerdict,
    /// Whether it counts for the verdict of the drill.
    pub counts: bool,
    /// How many things broke the promise.
    pub offences: u64,
}

/// Renders `invocation`.
///
/// # Errors
/// [`serde_json::Error`] if it is not JSON, which no input is known to cause.
pub fn render(invocation: &Invocation) -> Result<String, serde_json::Error> {
    let summary = Summary {
        schema_version: SCHEMA_VERSION,
        firedrill_version: invocation.firedrill_version.clone(),
        exit_status: invocation.exit_status,
        scenarios: invocation.drills.iter().map(entry).collect(),
    };
    serde_json::to_string_pretty(&summary).map(|json| json + "\n")
}

fn entry(drilled: &Drilled) -> Entry {
    let run = drilled.run();
    Entry {
        name: drilled.scenario.clone(),
        file: drilled.file.clone(),
        verdict: drilled.verdict().to_owned(),
        exit_status: drilled.exit_status(),
        reasons: drilled.reasons().into_iter().map(str::to_owned).collect(),
        seed: run.map(|run| run.seed),
        started_at: run.map(|run| run.started_at.clone()),
        load_seconds: run.map(|run| run.load_seconds),
        gates: run.map(|run| run.gates.iter().map(limited).collect()).unwrap_or_default(),
        checks: run.map(|run| run.checks.iter().map(checked).collect()).unwrap_or_default(),
        run: drilled.record().map(|path| path.display().to_string()),
        report: drilled.report().map(|path| path.display().to_string()),
        baseline: drilled.baseline.as_ref().map(|baseline| baseline.comparison.clone()),
        comparison: drilled.baseline.as_ref().and_then(|one| Some(one.page.as_ref()?.display().to_string())),
    }
}

fn limited(gate: &Gate) -> Limited {
    Limited {
        name: gate.name.clone(),
        verdict: gate.verdict,
        limit: gate.limit.clone(),
        unit: gate.unit,
        actual: gate.actual,
        actual_text: gate.actual_text.clone(),
    }
}

fn checked(check: &crate::run::Check) -> Checked {
    Checked { name: check.name.clone(), verdict: check.verdict, counts: check.counts, offences: check.offences }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{failed, invocation, judged, not_run};
    use super::*;

    #[test]
    fn every_scenario_has_its_verdict_its_gates_and_its_files() {
        let expected = r#"{
  "schema_version": 1,
  "firedrill_version": "0.1.0",
  "exit_status": 4,
  "scenarios": [
    {
      "name": "redis-outage",
      "verdict": "failed",
      "exit_status": 1,
      "reasons": [
        "check lost-writes: 2 of 40 writes are gone",
        "gate during.errors: 5 % is not <= 1%"
      ],
      "seed": 18446744073709551615,
      "started_at": "2026-01-02T03:04:05.678Z",
      "load_seconds": 12.5,
      "gates": [
        {
          "name": "during.errors",
          "verdict": "fail",
          "limit": "<= 1%",
          "unit": "share",
          "actual": 0.05,
          "actual_text": "5 %"
        }
      ],
      "checks": [
        {
          "name": "lost-writes",
          "verdict": "invalid",
          "counts": true,
          "offences": 2
        }
      ],
      "run": "redis-outage/run.json",
      "report": "redis-outage/report.html"
    },
    {
      "name": "ttl",
      "verdict": "not-run",
      "exit_status": 4,
      "reasons": [
        "no redis-server on the PATH"
      ],
      "gates": [],
      "checks": []
    }
  ]
}
"#;
        let json = render(&invocation(vec![judged(failed("redis-outage")), not_run("ttl")])).unwrap();
        assert_eq!(json, expected);
        let read: Summary = serde_json::from_str(&json).unwrap();
        assert_eq!(read.scenarios[0].gates[0].actual, Some(0.05));
    }
}
