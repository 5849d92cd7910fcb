//! Drills for the tests of the formats.

use std::path::PathBuf;

use super::drilled::{Drilled, Ended, Invocation};
use crate::run::{
    Check, CheckVerdict, Fault, Gate, GateVerdict, Generator, Offence, Run, Scenario, Situation, Unit, Verdict,
};

/// A drill with this record, in the folder of its name.
pub fn judged(run: Run) -> Drilled {
    let folder = PathBuf::from(&run.scenario.name);
    Drilled {
        scenario: run.scenario.name.clone(),
        file: None,
        ended: Ended::Judged { run: Box::new(run), folder },
        baseline: None,
    }
}

/// An invocation of these drills.
pub fn invocation(drills: Vec<Drilled>) -> Invocation {
    let exit_status = drills.iter().map(Drilled::exit_status).max().unwrap_or_default();
    Invocation { firedrill_version: "0.1.0".to_owned(), out: PathBuf::from("runs/today"), exit_status, drills }
}

/// A check with this many offences, all of them described.
pub fn check(name: &str, verdict: CheckVerdict, offences: u64) -> Check {
    let sample = |n: u64| Offence {
        session: n.to_string(),
        operations: vec![n],
        at_ms: Some(1500.0),
        text: format!("write {n} is gone"),
        cause: String::new(),
    };
    Check {
        name: name.to_owned(),
        about: "No acknowledged write is lost.".to_owned(),
        verdict,
        counts: true,
        examined: 40,
        offences,
        sessions: offences,
        summary: format!("{offences} of 40 writes are gone"),
        causes: Vec::new(),
        samples: (1..=offences).map(sample).collect(),
    }
}

/// A drill that passed.
pub fn passed(name: &str) -> Run {
    Run {
        scenario: Scenario { name: name.to_owned(), about: "An outage.".to_owned(), tags: Vec::new() },
        verdict: Verdict::Passed,
        exit_status: 0,
        seed: u64::MAX,
        replay: format!("firedrill run {name} --seed 7"),
        started_at: "2026-01-02T03:04:05.678Z".to_owned(),
        load_seconds: 12.5,
        recovery_ms: Some(250.0),
        gates: vec![Gate::new("during.errors", "<= 1%", Unit::Share, Some(0.004), GateVerdict::Pass)],
        checks: vec![check("lost-writes", CheckVerdict::Valid, 0)],
        situations: vec![Situation {
            name: "unknown.append".to_owned(),
            wanted: ">= 10".to_owned(),
            found: 12,
            found_text: "12 appends".to_owned(),
            met: true,
        }],
        faults: vec![Fault {
            name: "0".to_owned(),
            kind: "proxy.down".to_owned(),
            bit: true,
            evidence: "9 connections refused".to_owned(),
            ..Fault::default()
        }],
        generator: Generator { planned: 100, started: 100, delivered_rate: 50.0, ..Generator::default() },
        ..Run::default()
    }
}

/// A drill that failed in a gate and in a check.
pub fn failed(name: &str) -> Run {
    Run {
        verdict: Verdict::Failed,
        exit_status: 1,
        reasons: vec![
            "check lost-writes: 2 of 40 writes are gone".to_owned(),
            "gate during.errors: 5 % is not <= 1%".to_owned(),
        ],
        gates: vec![Gate::new("during.errors", "<= 1%", Unit::Share, Some(0.05), GateVerdict::Fail)],
        checks: vec![check("lost-writes", CheckVerdict::Invalid, 2)],
        ..passed(name)
    }
}

/// A scenario that did not run.
pub fn not_run(name: &str) -> Drilled {
    let reason = "no redis-server on the PATH".to_owned();
    Drilled { scenario: name.to_owned(), file: None, ended: Ended::NotRun { reason, exit_status: 4 }, baseline: None }
}
