//! The first half of step 9 of a drill: every checker's verdict for the report.

use firedrill_reports::run::{self, Check, CheckVerdict, KindCount, OffenceCause};
use firedrill_storage::Policy;

use crate::check::{self, SessionChecker};
use crate::clock::Nanos;
use crate::history::History;
use crate::property::Property;
use crate::scenario::{Expectation, Scenario};
use crate::target::Ability;

/// The verdict of every checker that applies to `history` under the scenario. Checkers that rely on lifetimes do not
/// apply to a target whose sessions do not expire.
pub(super) fn checks(history: &History, scenario: &Scenario) -> Vec<Check> {
    let expires = scenario.has(Ability::Expiry);
    let applies = |checker: &&dyn SessionChecker| {
        let facts = checker.facts();
        (expires || !facts.relies_on.intersects(Property::LIFETIMES))
            && (!facts.on_request || scenario.checks.contains_key(facts.name))
    };
    let checkers: Vec<&'static dyn SessionChecker> = check::all().iter().copied().filter(applies).collect();
    let findings = check::check_all(history, &checkers, &check::Budget::default());
    let counts = |name: &str| scenario.checks.get(name) != Some(&Expectation::Report);
    let each = checkers.iter().zip(findings);
    let policy = |at| policy_at(scenario, at);
    each.map(|(checker, (name, finding))| record(&checker.facts(), name, finding, counts(name), &policy)).collect()
}

/// The store's policy at a moment of the load; `None` if the target has none, or does not take it from the drill.
fn policy_at(scenario: &Scenario, at: Nanos) -> Option<Policy> {
    let told = scenario.description().is_none_or(|description| description.names("store.policy"));
    if !told || !scenario.has(Ability::Fallback) {
        return None;
    }
    let deployed = scenario.deploy.iter().filter_map(|deploy| Some((deploy.at.nanos(), deploy.policy?)));
    let latest = deployed.filter(|(since, _)| *since <= at).max_by_key(|(since, _)| *since);
    Some(latest.map_or(scenario.store.policy, |(_, policy)| policy))
}

/// A checker's finding for the report; `counts` says whether the verdict depends on it.
///
/// `policy` tells the store's policy at a moment, if it is known.
pub(super) fn record(
    facts: &check::Facts,
    name: &str,
    finding: check::Finding,
    counts: bool,
    policy: &dyn Fn(Nanos) -> Option<Policy>,
) -> Check {
    let causes: Vec<(String, OffenceCause)> =
        finding.causes.into_iter().map(|one| (one.text.clone(), cause(one, policy))).collect();
    let named = |text: &str| causes.iter().find(|(known, _)| known == text).map(|(_, cause)| cause.text.clone());
    let samples = finding.samples.into_iter().map(|sample| {
        let cause = named(&sample.cause).unwrap_or_default();
        run::Offence { cause, ..offence(sample) }
    });
    let samples = samples.collect();
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
        sessions: finding.sessions,
        summary: finding.summary,
        causes: causes.into_iter().map(|(_, cause)| cause).collect(),
        samples,
    }
}

/// A cause for the report. Where the store's policy destroyed the writes, it is named.
fn cause(cause: check::Cause, policy: &dyn Fn(Nanos) -> Option<Policy>) -> OffenceCause {
    let policy = cause.at.filter(|_| cause.by_policy).and_then(policy);
    let kind = |(op, count): (&'static str, u64)| KindCount { op: op.to_owned(), count };
    OffenceCause {
        text: policy.map_or_else(|| cause.text.clone(), |policy| format!("{} under policy {policy}", cause.text)),
        at_ms: cause.at.map(ms),
        offences: cause.violations,
        sessions: cause.sessions,
        from_ms: ms(cause.from),
        to_ms: ms(cause.until),
        kinds: cause.kinds.into_iter().map(kind).collect(),
        operations: cause.operations,
    }
}

fn ms(at: Nanos) -> f64 {
    at as f64 / 1e6
}

fn offence(violation: check::Violation) -> run::Offence {
    run::Offence {
        session: violation.session.map_or(String::new(), |session| session.to_string()),
        operations: violation.operations,
        at_ms: Some(ms(violation.at)),
        text: violation.text,
        cause: violation.cause,
    }
}
