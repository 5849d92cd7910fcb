//! The first half of step 9 of a drill: every checker's verdict for the report.

use firedrill_reports::run::{self, Check, CheckVerdict};

use crate::check::{self, SessionChecker};
use crate::history::History;
use crate::property::Property;
use crate::scenario::{Expectation, Scenario};
use crate::target::Ability;

/// The verdict of every checker that applies to `history` under the scenario. Checkers that rely on lifetimes do not
/// apply to a target whose sessions do not expire.
pub(super) fn checks(history: &History, scenario: &Scenario) -> Vec<Check> {
    let expires = scenario.lacks(Ability::Expiry).is_none();
    let applies = |checker: &&dyn SessionChecker| {
        let facts = checker.facts();
        (expires || !facts.relies_on.intersects(Property::LIFETIMES))
            && (!facts.on_request || scenario.checks.contains_key(facts.name))
    };
    let checkers: Vec<&'static dyn SessionChecker> = check::all().iter().copied().filter(applies).collect();
    let findings = check::check_all(history, &checkers, &check::Budget::default());
    let counts = |name: &str| scenario.checks.get(name) != Some(&Expectation::Report);
    let each = checkers.iter().zip(findings);
    each.map(|(checker, (name, finding))| record(&checker.facts(), name, finding, counts(name))).collect()
}

/// A checker's finding for the report; `counts` says whether the verdict depends on it.
pub(super) fn record(facts: &check::Facts, name: &str, finding: check::Finding, counts: bool) -> Check {
    Check {
        name: name.to_owned(),
        about: facts.about.to_owned(),
        verdict: match finding.verdict {
            check::Verdict::Valid => CheckVerdict::Valid,
            check::Verdict::Invalid => CheckVerdict::Invalid,
            check::Verdict::Unknown => CheckVerdict::Unknown,
        },
        counts,
        examined: finding.examined,
        offences: finding.violations,
        summary: finding.summary,
        samples: finding.samples.into_iter().map(offence).collect(),
    }
}

fn offence(violation: check::Violation) -> run::Offence {
    run::Offence {
        session: violation.session.map_or(String::new(), |session| session.to_string()),
        operations: violation.operations,
        at_ms: Some(violation.at as f64 / 1e6),
        text: violation.text,
    }
}
