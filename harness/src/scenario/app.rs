//! What a scenario cannot ask of the `app` target: the application takes its settings from its environment, which has
//! words for less than the store has, and its users can do less over HTTP than a caller of the store.

use std::time::Duration;

use super::error::Problem;
use super::model::{EncryptionSpec, Scenario, TargetKind, UpdateMode};
use super::units::Span;
use crate::fault::{FaultKind, FaultSpec, FaultTable};
use crate::gate::Metric;
use crate::history::OpKind;

/// What session-server's variables of the circuit breaker take at most.
const LONGEST_OPEN: Duration = Duration::from_secs(3_600);
const MOST_FAILURES: u32 = 1_000_000;
const MOST_PROBES: u32 = 1_000;

/// What of the scenario's settings has no place in the application, or needs one and has none.
pub(super) fn problems(scenario: &Scenario) -> Vec<Problem> {
    match scenario.target.kind {
        TargetKind::App => of_the_app(scenario),
        _ => Vec::new(),
    }
}

fn of_the_app(scenario: &Scenario) -> Vec<Problem> {
    let mut found = Vec::new();
    let store = &scenario.store;
    let mut problem = |path: &str, message: &str, help: &str| found.push(Problem::at(path, message, help));
    if store.ttl.0.subsec_nanos() != 0 {
        problem("store.ttl", "the application counts whole seconds (REDIS_TTL)", "give a time like \"2s\"");
    }
    if !whole_milliseconds(store.timeout) {
        problem("store.timeout", "the application counts whole milliseconds (REDIS_TIMEOUT)", "500ms is the default");
    }
    if store.warm_sessions == 0 {
        problem(
            "store.warm_sessions",
            "the application keeps at least one session (SESSION_WARM_CAPACITY)",
            "give 1 or more",
        );
    }
    if store.update != UpdateMode::Atomic {
        problem("store.update", "the application adds answers in one way: atomic", "leave it out, or drive the store");
    }
    if store.defect.is_some() {
        problem(
            "store.defect",
            "defects are planted in the store, not in the application",
            "[target] kind = \"store\"",
        );
    }
    if let EncryptionSpec::Rotating { .. } = store.encryption {
        problem(
            "store.encryption",
            "the application takes its key at its start and keeps it (SESSION_ENCRYPTION_KEY)",
            "set it to true, or drive the store: [target] kind = \"store\"",
        );
    }
    if let Some(breaker) = &store.breaker {
        if !whole_milliseconds(breaker.open_for) || breaker.open_for.0 > LONGEST_OPEN {
            let message = "the application takes whole milliseconds, an hour at most (SESSION_BREAKER_OPEN)";
            problem("store.breaker.open-for", message, "30s is the default");
        }
        if breaker.failures > MOST_FAILURES {
            let message = "the application takes a million at most (SESSION_BREAKER_FAILURES)";
            problem("store.breaker.failures", message, "5 is the default");
        }
        if breaker.probes > MOST_PROBES {
            let message = "the application takes a thousand at most (SESSION_BREAKER_PROBES)";
            problem("store.breaker.probes", message, "1 is the default");
        }
    }
    if !scenario.deploy.is_empty() {
        let message = "the application takes its settings at its start, and keeps them";
        problem("deploy", message, "[target] kind = \"store\"; app.kill starts the application anew");
    }
    for (i, fault) in scenario.fault.iter().enumerate() {
        if FaultSpec::try_from(*fault).is_ok_and(|spec| spec.kind.needs_store_clock()) {
            let message = "the application has the time of its machine, which a drill does not change";
            found.push(Problem::at(&format!("fault.{i}.kind"), message, "[target] kind = \"store\", or another fault"));
        }
    }
    for (i, load) in scenario.load.iter().enumerate() {
        let missing = |kind| matches!(kind, OpKind::Put | OpKind::Touch | OpKind::List | OpKind::Count);
        if load.mix.weights().iter().any(|(kind, weight)| *weight > 0.0 && missing(*kind)) {
            let path = format!("load.{i}.mix");
            let help = "the mix of an application is made of create, read, append, destroy and award";
            found.push(Problem::at(
                &path,
                "an application's users cannot put, touch, list or count sessions over HTTP",
                help,
            ));
        }
    }
    found
}

/// A fault of the application where none is drilled.
pub(super) fn fault_without_app(scenario: &Scenario, i: usize, table: &FaultTable) -> Option<Problem> {
    let spec = FaultSpec::try_from(*table).ok()?;
    (spec.kind.needs_app() && scenario.target.kind != TargetKind::App).then(|| {
        let message = format!("{} hits the application, and this scenario drives none", spec.kind.name());
        Problem::at(&format!("fault.{i}.kind"), message, "set [target] kind = \"app\"; for Redis there is process.*")
    })
}

/// Why the target of this scenario has nothing that `metric` could measure, and what to do.
pub(super) fn not_measured(scenario: &Scenario, metric: Metric) -> Option<(String, String)> {
    let (needs, targets): (&str, &[TargetKind]) = match metric {
        Metric::AppMemory => ("the application's process", &[TargetKind::App]),
        Metric::ConnectionDown => ("a target that says whether it is connected", &[TargetKind::App, TargetKind::Store]),
        Metric::BreakerOpens | Metric::BreakerProbes if scenario.target.kind == TargetKind::App => {
            let message = "the application does not tell when its breaker opens".to_owned();
            return Some((message, "set [target] kind = \"store\"".to_owned()));
        }
        Metric::HeldSessions if scenario.target.kind != TargetKind::Store => {
            let message = "only the store itself tells what it holds in memory".to_owned();
            return Some((message, "set [target] kind = \"store\"".to_owned()));
        }
        Metric::ImpostorTrusted if !scenario.fault.iter().any(is_impostor) => {
            let message = "nobody stands in Redis's place".to_owned();
            return Some((message, "add a [[fault]] of kind = \"proxy.impostor\"".to_owned()));
        }
        Metric::RefutedClaims if scenario.claims.is_empty() => {
            let help = "add [claims], such as \"redis.read\" = \"< 10ms\"";
            return Some(("this scenario claims nothing".to_owned(), help.to_owned()));
        }
        _ => return None,
    };
    let message = || format!("it needs {needs}, and this scenario drives none");
    (!targets.contains(&scenario.target.kind)).then(|| (message(), "set [target] kind = \"app\"".to_owned()))
}

fn is_impostor(table: &FaultTable) -> bool {
    FaultSpec::try_from(*table).is_ok_and(|spec| matches!(spec.kind, FaultKind::ProxyImpostor(_)))
}

fn whole_milliseconds(span: Span) -> bool {
    span.0.subsec_nanos().is_multiple_of(1_000_000)
}
