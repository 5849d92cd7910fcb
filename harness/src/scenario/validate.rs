//! What the types of the model cannot say: numbers that must be positive, keys that exclude each other, gates and
//! checkers that must exist.

use firedrill_storage::Policy;

use super::app;
use super::error::Problem;
use super::model::{Defect, Expectation, FinalReads, LabKind, LoadSpec, PayloadSpec, Scenario, TargetKind};
use super::units::{Bytes, Span};
use crate::claim::Claim;
use crate::fault::{FaultSpec, FaultTable};
use crate::gate::{Dimension, Limit};
use crate::history::OpKind;
use crate::lab::Topology;
use crate::{check, gate};

/// Redis's own limit (`proto-max-bulk-len`): more cannot be stored, and would first have to fit into memory here.
const LARGEST_PAYLOAD: Bytes = Bytes(512 << 20);

/// Each session and each user takes memory of the harness: what is beyond these does not fit into a machine.
const MOST_SESSIONS: u32 = 5_000_000;
/// See [`MOST_SESSIONS`].
const MOST_USERS: u32 = 100_000;

/// Everything that is wrong with a scenario whose keys and units are right.
pub(super) fn problems(scenario: &Scenario) -> Vec<Problem> {
    let mut found = Vec::new();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if scenario.name.is_empty() || !scenario.name.chars().all(allowed) {
        found.push(Problem::at(
            "name",
            format!("`{}` cannot name a run", scenario.name),
            "use the characters a-z, 0-9 and -: the name becomes a folder",
        ));
    }
    if scenario.load.is_empty() {
        found.push(Problem::at("load", "there is no load", "add a [[load]] block with a rate or with users"));
    }
    if scenario.lab.image.is_some() && scenario.lab.kind != LabKind::Docker {
        found.push(Problem::at("lab.image", "only a container has an image", "set lab.kind = \"docker\""));
    }
    topology_problems(&mut found, scenario);
    positive(&mut found, "store.ttl", scenario.store.ttl, "a session must live longer than 0s");
    positive(&mut found, "store.timeout", scenario.store.timeout, "the store's deadline must be longer than 0s");
    positive(&mut found, "steady.for", scenario.steady.window, "a steady state must hold longer than 0s");
    if scenario.target.connections == 0 {
        found.push(Problem::at("target.connections", "at least one connection is needed", "512 is the default"));
    }
    if scenario.sessions_per_user.get() > 1 && scenario.target.kind != TargetKind::Store {
        let message = "only the store target knows whose a session is";
        found.push(Problem::at("sessions_per_user", message, "leave it out, or set target.kind = \"store\""));
    }
    store_problems(&mut found, scenario);
    for (i, load) in scenario.load.iter().enumerate() {
        load_problems(&mut found, i, load, scenario.target.kind);
    }
    for (i, fault) in scenario.fault.iter().enumerate() {
        fault_problems(&mut found, i, fault, scenario);
        found.extend(app::fault_without_app(scenario, i, fault));
    }
    found.extend(app::problems(scenario));
    let checkers: Vec<&str> = check::all().iter().map(|checker| checker.name()).collect();
    for name in scenario.checks.keys().filter(|name| !checkers.contains(&name.as_str())) {
        found.push(Problem {
            path: vec!["checks".to_owned(), name.clone()],
            message: format!("there is no checker `{name}`"),
            help: format!("the checkers are {}", checkers.join(", ")),
            on_key: true,
        });
    }
    for (name, limit) in &scenario.claims {
        claim_problems(&mut found, name, limit);
    }
    for (key, limit) in &scenario.gates {
        let path = vec!["gates".to_owned(), key.clone()];
        match gate::GateSpec::parse(key, limit) {
            Ok(gate) if gate.metric.needs_fault() && scenario.fault.is_empty() && scenario.deploy.is_empty() => found
                .push(Problem {
                    path,
                    on_key: true,
                    message: format!("`{key}` measures what a fault does, and there is no fault"),
                    help: "add a [[fault]] or a [[deploy]], or use the phase `all`".to_owned(),
                }),
            Ok(gate) => {
                if let Some((message, help)) = app::not_measured(scenario, gate.metric) {
                    found.push(Problem { path, on_key: true, message, help });
                }
            }
            Err(error) => {
                found.push(Problem { path, on_key: error.in_key(), message: error.to_string(), help: error.help() });
            }
        }
    }
    found
}

fn claim_problems(found: &mut Vec<Problem>, name: &str, limit: &str) {
    let path = vec!["claims".to_owned(), name.to_owned()];
    if Claim::parse(name).is_none() {
        let known: Vec<&str> = Claim::ALL.iter().map(|claim| claim.name()).collect();
        let help = format!("what can be claimed: {}", known.join(", "));
        let message = format!("nothing is measured as `{name}`");
        found.push(Problem { path, on_key: true, message, help });
    } else if Limit::parse(limit, Dimension::Time).is_none() {
        let message = format!("`{limit}` is no limit for a time");
        found.push(Problem { path, on_key: false, message, help: "write it like \"< 10ms\"".to_owned() });
    }
}

fn positive(found: &mut Vec<Problem>, path: &str, span: Span, message: &str) {
    if span.0.is_zero() {
        found.push(Problem::at(path, message, "give a length of time like \"5s\""));
    }
}

fn topology_problems(found: &mut Vec<Problem>, scenario: &Scenario) {
    let topology = scenario.lab.topology;
    if scenario.store.defect == Some(Defect::TlsUnverified) && topology != Topology::Tls {
        let message = "without TLS there is no certificate that could go unverified";
        found.push(Problem::at("store.defect", message, "set lab.topology = \"tls\""));
    }
    if topology == Topology::Standalone {
        return;
    }
    let mut problem = |path: &str, message: &str, help: &str| found.push(Problem::at(path, message, help));
    if scenario.lab.kind != LabKind::Managed {
        problem("lab.topology", "a container runs one server", "leave lab.kind out, or the topology");
    }
    // One server without TLS is reached as ever.
    if topology == Topology::Replica {
        return;
    }
    if scenario.target.kind != TargetKind::Store {
        problem("target.kind", "only the store target knows how to reach such servers", "set target.kind = \"store\"");
    }
    if scenario.store.defect.is_some_and(Defect::has_own_line) {
        problem(
            "store.defect",
            "this defect has a line of its own to Redis, which leads to one server without TLS",
            "leave lab.topology or the defect out",
        );
    }
    if !scenario.claims.is_empty() {
        problem("claims", "claims are measured on one server without TLS", "leave lab.topology or the claims out");
    }
}

fn store_problems(found: &mut Vec<Problem>, scenario: &Scenario) {
    if let Some(breaker) = &scenario.store.breaker {
        positive(found, "store.breaker.open-for", breaker.open_for, "a breaker must stay open longer than 0s");
        if breaker.probes == 0 {
            found.push(Problem::at("store.breaker.probes", "without a probe it would never close", "1 is the default"));
        }
    }
    let last = scenario.deploy.last().map_or(scenario.store.policy, |deploy| deploy.policy);
    if last == Policy::Memory && scenario.store.final_reads == FinalReads::Rebuilt {
        let place =
            scenario.deploy.len().checked_sub(1).map_or("store.policy".to_owned(), |i| format!("deploy.{i}.policy"));
        found.push(Problem::at(
            &place,
            "a store built anew has none of the sessions in memory, and every final read would miss its session",
            "set store.final_reads = \"living\"",
        ));
    }
    let ends = |load: &LoadSpec| {
        let stages: std::time::Duration = load.stages.iter().map(|stage| stage.length.0).sum();
        load.at.0.saturating_add(load.length.map_or(stages, |length| length.0))
    };
    let load_ends = scenario.load.iter().map(ends).max().unwrap_or_default();
    let mut before = None;
    for (i, deploy) in scenario.deploy.iter().enumerate() {
        if scenario.target.kind != TargetKind::Store {
            let message = "only the store target has settings that can be changed";
            found.push(Problem::at(&format!("deploy.{i}.policy"), message, "set target.kind = \"store\""));
        }
        let at = format!("deploy.{i}.at");
        if deploy.at.0 >= load_ends {
            found.push(Problem::at(&at, "the load is over by then", "give a time within the load"));
        }
        if before.is_some_and(|before| before >= deploy.at) {
            found.push(Problem::at(&at, "the deploys must stand in the order of time", "give a later time"));
        }
        before = Some(deploy.at);
    }
}

fn load_problems(found: &mut Vec<Problem>, i: usize, load: &LoadSpec, target: TargetKind) {
    let at = |key: &str| format!("load.{i}.{key}");
    let mut problem = |key: &str, message: &str, help: &str| found.push(Problem::at(&at(key), message, help));
    let ways = [load.rate.is_some(), !load.stages.is_empty(), load.users.is_some()];
    if ways.iter().filter(|given| **given).count() != 1 {
        problem(
            "rate",
            "a load has either a rate, or stages, or users",
            "open loop: rate or stages; closed loop: users",
        );
    }
    if load.stages.is_empty() == load.length.is_none() {
        problem("for", "the length of the load is not clear", "give `for`, or stages with a `for` each");
    }
    if load.length.is_some_and(|length| length.0.is_zero()) {
        problem("for", "a load must last longer than 0s", "give a length of time like \"20s\"");
    }
    if load.rate.is_some_and(|rate| rate.0 <= 0.0) {
        problem("rate", "the rate must be more than 0/s", "leave the block out where nothing should happen");
    }
    if load.sessions > MOST_SESSIONS {
        problem("sessions", "that many sessions do not fit into memory", &format!("at most {MOST_SESSIONS}"));
    }
    if load.users.is_some_and(|users| users > MOST_USERS) {
        problem("users", "that many users do not fit into one process", &format!("at most {MOST_USERS}"));
    }
    if load.users == Some(0) {
        problem("users", "at least one user is needed", "give a number like 32");
    }
    if load.think.is_some() && load.users.is_none() {
        problem("think", "only virtual users think", "give `users`, or leave `think` out");
    }
    for (s, stage) in load.stages.iter().enumerate().filter(|(_, stage)| stage.length.0.is_zero()) {
        let _ = stage;
        problem(&format!("stages.{s}.for"), "a stage must last longer than 0s", "give a length of time like \"5s\"");
    }
    if load.deadline.0.is_zero() {
        problem("deadline", "an operation needs longer than 0s", "5s is the default");
    }
    if load.sessions == 0 && load.mix.create <= 0.0 {
        problem("sessions", "there is no session to use", "give `sessions`, or let the mix create some");
    }
    let mix = load.mix;
    let weights = mix.weights();
    if weights.iter().any(|(_, w)| !w.is_finite() || *w < 0.0) || weights.iter().map(|(_, w)| w).sum::<f64>() <= 0.0 {
        problem(
            "mix",
            "the weights must be 0 or more, and one of them more than 0",
            "{ create = 1, read = 6, append = 3 }",
        );
    }
    let plain = |kind| matches!(kind, OpKind::Create | OpKind::Read | OpKind::Put);
    if target == TargetKind::Redis && weights.iter().any(|(kind, w)| *w > 0.0 && !plain(*kind)) {
        problem("mix", "the redis target knows read (GET), put and create (SET) only", "mix = { put = 1, read = 9 }");
    }
    let (smallest, largest) = match load.payload {
        PayloadSpec::Fixed(size) => (size, size),
        PayloadSpec::Between { min, max } => (min, max),
    };
    if smallest > largest {
        problem("payload", "the smallest size is larger than the largest", "{ min = \"1KB\", max = \"50KB\" }");
    }
    if largest > LARGEST_PAYLOAD {
        problem("payload", "a Redis value holds 512 MiB at most", "50KB is the default");
    }
}

fn fault_problems(found: &mut Vec<Problem>, i: usize, table: &FaultTable, scenario: &Scenario) {
    let (persistence, topology) = (scenario.lab.redis.persistence, scenario.lab.topology);
    match FaultSpec::try_from(*table) {
        Ok(spec) => {
            // A checker that is not named counts as well, where it has anything to judge.
            let lists = scenario.load.iter().any(|load| load.mix.list > 0.0);
            let counts = |name: &&&str| {
                scenario.checks.get(**name) != Some(&Expectation::Report) && (lists || **name != "user-index")
            };
            let unfit = spec.kind.unfit_on(topology).or_else(|| spec.kind.unfit_for(persistence));
            if let Some((message, help)) = unfit {
                found.push(Problem::at(&format!("fault.{i}.kind"), message, help));
            }
            let spoilt: Vec<&str> = [spec.kind.spoils_checks(persistence), spec.kind.spoils_checks_on(topology)]
                .concat()
                .iter()
                .filter(counts)
                .copied()
                .collect();
            if !spoilt.is_empty() {
                let (kind, names) = (spec.kind.name(), spoilt.join(", "));
                let message = format!("{kind} takes away what was acknowledged, and the store would be blamed");
                let help = format!("under [checks] set to \"report\": {names}");
                found.push(Problem::at(&format!("fault.{i}.kind"), message, help));
            }
        }
        Err(error) => {
            let help = "docs/faults.md has every kind and what it takes";
            found.push(Problem::at(&format!("fault.{i}.{}", error.key()), error.to_string(), help));
        }
    }
}
