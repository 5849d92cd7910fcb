//! Step 9 of a drill, its first half: every checker's answer as the report has it.

use firedrill_reports::run::{self, Check, CheckVerdict};

use crate::check;
use crate::history::History;
use crate::scenario::{Expectation, Scenario, TargetKind};

/// Plain SET gives no expiry: these checkers have nothing to say about the `redis` target.
const NEED_EXPIRY: [&str; 2] = ["ttl", "immortal-keys"];

/// What every checker that applies says of `history`, in the scenario's light.
pub(super) fn checks(history: &History, scenario: &Scenario) -> Vec<Check> {
    let applies = |checker: &&dyn check::Checker| match scenario.target.kind {
        TargetKind::Store | TargetKind::App => true,
        TargetKind::Redis => !NEED_EXPIRY.contains(&checker.name()),
    };
    let checkers: Vec<&'static dyn check::Checker> = check::all().iter().copied().filter(applies).collect();
    let findings = check::check_all(history, &checkers, &check::Limits::default());
    let record = |(checker, (name, finding)): (&&'static dyn check::Checker, (&str, check::Finding))| Check {
        name: name.to_owned(),
        about: checker.about().to_owned(),
        verdict: match finding.verdict {
            check::Verdict::Valid => CheckVerdict::Valid,
            check::Verdict::Invalid => CheckVerdict::Invalid,
            check::Verdict::Unknown => CheckVerdict::Unknown,
        },
        counts: scenario.checks.get(name) != Some(&Expectation::Report),
        examined: finding.examined,
        offences: finding.offences,
        summary: finding.summary,
        samples: finding.samples.into_iter().map(offence).collect(),
    };
    checkers.iter().zip(findings).map(record).collect()
}

fn offence(offence: check::Offence) -> run::Offence {
    run::Offence {
        session: offence.session.map_or(String::new(), |session| session.to_string()),
        operations: offence.operations,
        at_ms: Some(offence.at as f64 / 1e6),
        text: offence.text,
    }
}
