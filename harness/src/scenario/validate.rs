//! The rules that the model's types cannot express: numbers that must be positive, keys that exclude each other, gates
//! and checkers that must exist.

use firedrill_storage::Policy;

use super::error::Problem;
use super::load_model::{KeySpec, LoadSpec, PayloadSpec};
use super::model::{Expectation, LabKind, RedisSpec, Scenario};
use super::needs::{impossible, load_name, unknown_name, unmet};
use super::{sense, target, timeline};
use crate::check;
use crate::fault::{FaultSpec, Hits};
use crate::gate::LimitError;
use crate::lab::{Reached, Topology, check_forbidden, directives};
use crate::target::Ability;
use crate::targets::{EncryptionSpec, FinalReads};
use crate::units::{Bytes, Span};

/// Redis's own limit (`proto-max-bulk-len`): a larger value cannot be stored, and would first have to fit into memory
/// here.
const LARGEST_PAYLOAD: Bytes = Bytes(512 << 20);

/// Each store has its own connections and memory; more of them show nothing else.
pub(super) const MOST_INSTANCES: u32 = 8;

/// More loads, or more faults, than anyone tells apart in a report; each is compared with all others.
pub(super) const MOST_BLOCKS: usize = 1_000;

/// All problems of a scenario whose keys and units are valid.
pub(super) fn problems(scenario: &Scenario) -> Vec<Problem> {
    let mut found = Vec::new();
    for (path, count) in [("load", scenario.load.len()), ("fault", scenario.fault.len())] {
        if count > MOST_BLOCKS {
            let message = format!("{count} [[{path}]] blocks are more than one drill can show");
            return vec![Problem::at(path, message, format!("at most {MOST_BLOCKS}"))];
        }
    }
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
    for (i, line) in scenario.lab.redis.directives.iter().enumerate() {
        if let Err(message) = directives::check(line) {
            found.push(Problem::at(
                &format!("lab.redis.directives.{i}"),
                message,
                "docs/labs.md lists what the lab decides",
            ));
        }
    }
    for (i, command) in scenario.lab.redis.forbidden.iter().enumerate() {
        if let Err(message) = check_forbidden(command) {
            let help = "it becomes a rule of ACL SETUSER, with a minus before it";
            found.push(Problem::at(&format!("lab.redis.forbidden.{i}"), message, help));
        }
    }
    let RedisSpec { directives, forbidden, .. } = &scenario.lab.redis;
    if scenario.lab.kind == LabKind::Docker && !(directives.is_empty() && forbidden.is_empty()) {
        let message = "a container takes neither directives nor forbidden commands";
        found.push(Problem::at("lab.redis", message, "leave lab.kind out, or build an image with its own redis.conf"));
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
    target::problems(&mut found, scenario);
    store_problems(&mut found, scenario);
    let mut names: Vec<String> = Vec::new();
    for (i, load) in scenario.load.iter().enumerate() {
        let name = load_name(i, load);
        if name.is_empty() || !name.chars().all(allowed) {
            let message = format!("`{name}` cannot name a load");
            found.push(Problem::at(&format!("load.{i}.name"), message, "use the characters a-z, 0-9 and -"));
        }
        if names.contains(&name) {
            let message = format!("two loads are called `{name}`");
            found.push(Problem::at(&format!("load.{i}.name"), message, "give each its own name"));
        }
        names.push(name);
        load_problems(&mut found, i, load);
    }
    for (i, fault) in scenario.fault.iter().enumerate() {
        let name = fault.called(i);
        if scenario.fault[..i].iter().enumerate().any(|(before, other)| other.called(before) == name) {
            let message = format!("two faults are called `{name}`");
            found.push(Problem::at(&format!("fault.{i}.name"), message, "give each its own name"));
        }
        fault_problems(&mut found, i, fault, scenario);
    }
    timeline::problems(&mut found, scenario);
    sense::problems(&mut found, scenario);
    for name in scenario.checks.keys().filter(|name| check::named(name).is_err()) {
        found.push(Problem {
            path: vec!["checks".to_owned(), name.clone()],
            message: format!("there is no checker `{name}`"),
            help: check::instead(name),
            on_key: true,
        });
    }
    found.extend(scenario.claims.errors().map(|error| limit_problem("claims", error)));
    found.extend(scenario.gates.errors().map(|error| limit_problem("gates", error)));
    found.extend(scenario.situations.errors().map(|error| limit_problem("situations", error)));
    found.extend(scenario.situations.iter().filter_map(|stated| {
        let (message, help) = impossible(scenario, &stated.of)?;
        Some(Problem { path: vec!["situations".to_owned(), stated.key.clone()], on_key: true, message, help })
    }));
    for gate in scenario.gates.iter() {
        let key = &gate.key;
        let mut problem = |message: String, help: &str| {
            let path = vec!["gates".to_owned(), key.clone()];
            found.push(Problem { path, on_key: true, message, help: help.to_owned() });
        };
        if gate.of.needs_fault() && scenario.fault.is_empty() && scenario.deploy.is_empty() {
            let message = format!("`{key}` measures what a fault does, and there is no fault");
            problem(message, "add a [[fault]] or a [[deploy]], or use the phase `all`");
        } else if let Some((message, help)) = unmet(scenario, gate.of.row().needs) {
            problem(message, &help);
        } else if let Some((message, help)) = unknown_name(scenario, &gate.of.subject().scope) {
            problem(message, &help);
        }
    }
    found
}

fn limit_problem(table: &str, error: &LimitError) -> Problem {
    let path = vec![table.to_owned(), error.key().to_owned()];
    Problem { path, on_key: error.in_key(), message: error.to_string(), help: error.help() }
}

fn positive(found: &mut Vec<Problem>, path: &str, span: Span, message: &str) {
    if span.0.is_zero() {
        found.push(Problem::at(path, message, "give a length of time like \"5s\""));
    }
}

fn topology_problems(found: &mut Vec<Problem>, scenario: &Scenario) {
    let topology = scenario.lab.topology;
    if let Some((message, help)) = scenario.store.defect.and_then(|defect| defect.unfit_on(topology)) {
        found.push(Problem::at("store.defect", message, help));
    }
    if topology == Topology::Standalone {
        return;
    }
    let mut problem = |path: &str, message: &str, help: &str| found.push(Problem::at(path, message, help));
    if scenario.lab.kind != LabKind::Managed {
        problem("lab.topology", "a container runs one server", "leave lab.kind out, or the topology");
    }
    // Targets reach it like a standalone server, without TLS.
    if topology.reached() == Reached::Plainly {
        return;
    }
    if let Some((message, help)) = scenario.lacks(Ability::Topologies) {
        problem("target.kind", &message, &help);
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
    let instances = [
        ("store.instances", Some(scenario.store.instances)),
        ("app.instances", scenario.app.as_ref().map(|app| app.instances)),
    ];
    for (key, _) in instances.into_iter().filter(|(_, count)| count.is_some_and(|count| count.get() > MOST_INSTANCES)) {
        let message = "that many show nothing that fewer do not";
        found.push(Problem::at(key, message, format!("at most {MOST_INSTANCES}")));
    }
    let renews = scenario.load.iter().position(|load| load.mix.renew > 0.0);
    if let Some(load) = renews.filter(|_| scenario.store.instances.get() > 1) {
        let message = "a store that is cut off does not know the new ids that another one gave";
        found.push(Problem::at(&format!("load.{load}.mix.renew"), message, "leave out store.instances"));
    }
    let deployed = scenario.deploy.iter().enumerate().filter_map(|(i, deploy)| Some((i, deploy.policy?))).next_back();
    let last = deployed.map_or(scenario.store.policy, |(_, policy)| policy);
    if last == Policy::Memory && scenario.store.final_reads == FinalReads::Rebuilt {
        let place = deployed.map_or("store.policy".to_owned(), |(i, _)| format!("deploy.{i}.policy"));
        found.push(Problem::at(
            &place,
            "a rebuilt store has no session in memory, and every final read would miss",
            "set store.final_reads = \"living\"",
        ));
    }
}

fn load_problems(found: &mut Vec<Problem>, i: usize, load: &LoadSpec) {
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
        problem("rate", "the rate must be more than 0/s", "leave out the block if nothing should happen");
    }
    if load.users == Some(0) {
        problem("users", "at least one user is needed", "give a number like 32");
    }
    if load.ramp.is_some() && load.users.is_none() {
        problem(
            "ramp",
            "only a load with `users` has users that begin one after the other",
            "ramp a rate with `stages`",
        );
    }
    if let (Some(ramp), Some(length)) = (load.ramp, load.length)
        && ramp >= length
    {
        problem("ramp", "the load would be over before its last user begins", "give a shorter ramp");
    }
    if load.think.is_some() && load.users.is_none() {
        problem("think", "only a load with `users` has a think time", "give `users`, or leave `think` out");
    }
    if load.rate_cap.is_some() && load.users.is_none() {
        problem("rate_cap", "only a load with `users` has a rate cap", "give `users`, or `rate` alone");
    }
    if load.rate_cap.is_some_and(|cap| cap.0 <= 0.0) {
        problem("rate_cap", "the cap must be more than 0/s", "leave out `rate_cap` for no cap");
    }
    for (s, stage) in load.stages.iter().enumerate().filter(|(_, stage)| stage.length.0.is_zero()) {
        let _ = stage;
        problem(&format!("stages.{s}.for"), "a stage must last longer than 0s", "give a length of time like \"5s\"");
    }
    if load.deadline.0.is_zero() {
        problem("deadline", "an operation's deadline must be longer than 0s", "5s is the default");
    }
    if load.sessions == 0 && load.mix.create <= 0.0 {
        problem("sessions", "there is no session to use", "give `sessions`, or let the mix create some");
    }
    if let KeySpec::Gaussian { deviation, .. } = load.keys
        && deviation.0 <= 0.0
    {
        problem(
            "keys",
            "the standard deviation must be more than 0%",
            "{ gaussian = { mean = \"50%\", deviation = \"10%\" } }",
        );
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
    match &load.payload {
        PayloadSpec::Between { min, max } if min > max => {
            problem("payload", "the smallest size is larger than the largest", "{ min = \"1KB\", max = \"50KB\" }");
        }
        PayloadSpec::LogNormal { median, sigma, max }
            if median > max || median.0 == 0 || !sigma.is_finite() || *sigma < 0.0 =>
        {
            problem(
                "payload",
                "sizes need a median above 0B and at most `max`, and a sigma of 0 or more",
                "{ median = \"8KB\", sigma = 1.2, max = \"512KB\" }",
            );
        }
        PayloadSpec::OneOf(sizes)
            if sizes.is_empty() || sizes.iter().any(|one| !(one.weight.is_finite() && one.weight > 0.0)) =>
        {
            problem(
                "payload",
                "a list of sizes has at least one, and weights above 0",
                "[{ size = \"1KB\", weight = 9 }, { size = \"50KB\", weight = 1 }]",
            );
        }
        _ => {}
    }
    if load.payload.largest() > LARGEST_PAYLOAD {
        problem("payload", "a Redis value holds 512 MiB at most", "50KB is the default");
    }
}

fn fault_problems(found: &mut Vec<Problem>, i: usize, spec: &FaultSpec, scenario: &Scenario) {
    let (persistence, topology) = (scenario.lab.redis.persistence, scenario.lab.topology);
    let unfit = [("kind", spec.kind.unfit(topology, persistence)), ("on", spec.unfit_at_commands(topology))];
    found.extend(
        unfit.into_iter().filter_map(|(key, unfit)| {
            unfit.map(|unfit| Problem::at(&format!("fault.{i}.{key}"), unfit.why, unfit.cure))
        }),
    );
    let to = format!("fault.{i}.to");
    match spec.kind.hits() {
        Hits::App => {
            if let Err(flaw) = spec.reach.check_instances(scenario.app.as_ref().map_or(1, |app| app.instances.get())) {
                found.push(Problem::at(&to, &flaw.problem, "leave out `to`: all instances"));
            }
        }
        _ => {
            if let Err(flaw) = spec.reach.check_servers(topology) {
                found.push(Problem::at(&to, &flaw.problem, "leave out `to`: the server that leads"));
            }
        }
    }
    if spec.kind.needs_encryption() && scenario.store.encryption == EncryptionSpec::Always(false) {
        let message = "without encryption what it leaves is a session like any other";
        found.push(Problem::at(&format!("fault.{i}.kind"), message, "set store.encryption = true"));
    }
    // An unnamed checker counts too, unless it runs only on request or has nothing to judge.
    let does = |kind| {
        scenario.load.iter().any(|load| load.mix.weights().iter().any(|(of, weight)| *of == kind && *weight > 0.0))
    };
    let counts = |facts: &check::Facts| {
        let said = scenario.checks.get(facts.name);
        said != Some(&Expectation::Report) && (said.is_some() || !facts.on_request) && facts.judges.is_none_or(does)
    };
    let broken = spec.kind.breaks(topology, persistence);
    let relying = check::relying_on(broken);
    let spoilt: Vec<&str> = relying.iter().filter(|facts| counts(facts)).map(|facts| facts.name).collect();
    if !spoilt.is_empty() {
        let (kind, names) = (spec.kind.name(), spoilt.join(", "));
        let message = format!("{kind} removes acknowledged data, and the checkers would blame the store");
        let help = format!("under [checks] set to \"report\": {names}");
        found.push(Problem::at(&format!("fault.{i}.kind"), message, help));
    }
}
