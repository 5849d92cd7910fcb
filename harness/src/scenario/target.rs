//! What a scenario cannot require from its target: each kind declares its operations and abilities.

use std::time::Duration;

use super::error::Problem;
use super::model::{LabKind, Scenario};
use super::timeline::end_of_load;
use crate::fault::{FaultSpec, Hits, On};
use crate::history::OpKind;
use crate::lab::Topology;
use crate::target::Ability;
use crate::targets::{Description, TargetKind, UnixSocket};
use crate::units::Span;

/// How long sessions exist before the load and are read after it.
const AROUND_THE_LOAD: Duration = Duration::from_secs(10);

/// Finds everything that the scenario requires but its target cannot do.
pub(super) fn problems(found: &mut Vec<Problem>, scenario: &Scenario) {
    let target = scenario.target.kind;
    let mut needed: Vec<(String, Ability)> = Vec::new();
    if scenario.sessions_per_user.get() > 1 {
        needed.push(("sessions_per_user".to_owned(), Ability::Users));
    }
    if scenario.store.instances.get() > 1 {
        needed.push(("store.instances".to_owned(), Ability::Instances));
    }
    if scenario.store.defect.is_some() {
        needed.push(("store.defect".to_owned(), Ability::Defects));
    }
    for (i, deploy) in scenario.deploy.iter().enumerate() {
        match (deploy.policy, deploy.env.is_empty()) {
            (Some(_), true) => needed.push((format!("deploy.{i}.policy"), Ability::Deploys)),
            (None, false) if scenario.app.is_none() => {
                let message = "only an application of [app] has an environment to change";
                found.push(Problem::at(
                    &format!("deploy.{i}.env"),
                    message,
                    "add [app], or deploy a policy of the store",
                ));
            }
            (None, false) => {}
            _ => {
                let message = "a deploy changes either the store's policy or the application's env";
                found.push(Problem::at(&format!("deploy.{i}"), message, "give one of them"));
            }
        }
    }
    for (i, spec) in scenario.fault.iter().enumerate() {
        if let Some(on) = spec.on.as_ref().and_then(On::state) {
            needed.push((format!("fault.{i}.on"), on.state().ability));
        }
        if spec.kind.tells_password() {
            needed.push((format!("fault.{i}.told"), Ability::StorePassword));
        }
        let ability = match spec.kind.hits() {
            Hits::App => Ability::Process,
            // A clock fault has no effect on a target that never reads the clock, and the drill then says so. An
            // application reads the machine's clock, which must not be moved.
            Hits::Clock => Ability::StoreClock,
            // A process resolves names by its machine's resolver, which must not be changed.
            Hits::Names => Ability::StoreNames,
            Hits::Address => Ability::HostName,
            _ => continue,
        };
        needed.push((format!("fault.{i}.kind"), ability));
    }
    for (path, ability) in needed {
        if let Some((message, help)) = scenario.lacks(ability) {
            found.push(Problem::at(&path, message, help));
        }
    }
    let description = scenario.description();
    match target.wired(&scenario.target.redis) {
        Some(flaws) => found.extend(flaws.into_iter().map(|flaw| Problem {
            path: ["target", "redis"].into_iter().map(str::to_owned).chain(flaw.path).collect(),
            message: flaw.message,
            help: flaw.help,
            on_key: false,
        })),
        None if scenario.target.redis.is_default() => {}
        None => {
            let message = format!("the {target} target has connections of its own kind");
            found.push(Problem::at("target.redis", message, "set [target] kind = \"redis\", or leave it out"));
        }
    }
    lifetimes(found, scenario);
    if scenario.target.redis.unix_socket != UnixSocket::default() {
        unix_socket(found, scenario);
    }
    let unfit = target.unfit(&scenario.store, description.as_ref());
    found.extend(unfit.iter().map(|unfit| Problem::at(unfit.key, unfit.message, unfit.help)));
    described(found, scenario, description.as_ref());
    for (i, load) in scenario.load.iter().enumerate() {
        let offers = |kind: &OpKind| {
            let recorded = load.replay.is_some() && *kind == OpKind::Command;
            target.operations().contains(kind)
                && description.as_ref().is_none_or(|description| description.offers(*kind))
                && (recorded || target.wired(&scenario.target.redis).is_none() || scenario.target.redis.offers(*kind))
        };
        if load.replay.is_some() && target.wired(&scenario.target.redis).is_none() {
            let message = format!("the {target} target sends no recording");
            found.push(Problem::at(&format!("load.{i}.replay"), message, "set [target] kind = \"redis\""));
        }
        let asked = load.mix.weights().into_iter().filter(|(_, weight)| *weight > 0.0).map(|(kind, _)| kind);
        let missing: Vec<&str> = asked.filter(|kind| !offers(kind)).map(|kind| kind.name()).collect();
        if !missing.is_empty() {
            let known: Vec<&str> =
                target.operations().iter().filter(|kind| offers(kind)).map(|kind| kind.name()).collect();
            let message = format!("the {target} target does not support {}", missing.join(", "));
            let help = format!("make the mix of {}", known.join(", "));
            found.push(Problem::at(&format!("load.{i}.mix"), message, help));
        }
    }
}

/// Lifetimes that the commands give and the checkers would not know of.
fn lifetimes(found: &mut Vec<Problem>, scenario: &Scenario) {
    let wire = &scenario.target.redis;
    let end = scenario.load.iter().map(end_of_load).max().unwrap_or_default() + AROUND_THE_LOAD;
    if let Some(shortest) = wire.shortest_lifetime().filter(|shortest| *shortest < end) {
        let message = format!("sessions would end after {} of the drill, unknown to the checkers", Span(shortest));
        let help = "write {{store.ttl}} in its place, and set store.ttl; or a lifetime longer than the drill";
        found.push(Problem::at("target.redis.command", message, help));
    }
    if !wire.expires() {
        return;
    }
    for (i, load) in scenario.load.iter().enumerate() {
        let prolonging = [OpKind::Append, OpKind::Put, OpKind::Touch];
        let asked = |kind: &OpKind| load.mix.weights().iter().any(|(of, weight)| of == kind && *weight > 0.0);
        for kind in prolonging.into_iter().filter(asked).filter(|kind| !wire.prolongs(*kind)) {
            let message = format!("{} would not give a session the lifetime that create gives it", kind.name());
            let help = "give it a command of your own with {{store.ttl}}, or leave it out of the mix";
            found.push(Problem::at(&format!("load.{i}.mix"), message, help));
        }
    }
    if scenario.store.sliding != wire.prolongs(OpKind::Read) {
        let (message, help) = match scenario.store.sliding {
            true => (
                "reads do not extend a lifetime here",
                "set store.sliding = false, or read by GETEX {{key}} EX {{store.ttl}}",
            ),
            false => ("reads extend the lifetime here", "set store.sliding = true"),
        };
        found.push(Problem::at("store.sliding", message, help));
    }
}

/// What does not go with a Unix socket: whatever needs a proxy in front of Redis, or several servers.
fn unix_socket(found: &mut Vec<Problem>, scenario: &Scenario) {
    let mut problem = |message: &str, help: &str| found.push(Problem::at("target.redis.unix-socket", message, help));
    if scenario.lab.topology != Topology::Standalone {
        problem("servers find one another by TCP", "leave lab.topology out");
    }
    if scenario.lab.kind != LabKind::Managed {
        problem("a container's socket is in the container", "leave lab.kind out");
    }
    let network = |fault: &FaultSpec| {
        matches!(fault.kind.hits(), Hits::Network | Hits::Names | Hits::Address) || fault.on.is_some()
    };
    if scenario.fault.iter().any(network) {
        problem("no proxy stands in front of a socket, so a network fault would not reach it", "leave it out");
    }
}

/// What is wrong with the description of an application, or that there is none.
fn described(found: &mut Vec<Problem>, scenario: &Scenario, description: Option<&Description>) {
    let target = scenario.target.kind;
    let Some(description) = description else {
        if target == TargetKind::described() {
            let help = "add [app] with command and env, and [op.create], [op.read]: docs/drill-your-own-app.md";
            found.push(Problem::at("target.kind", "nothing says which application", help));
        }
        if !scenario.op.is_empty() {
            found.push(Problem::at("op", "nothing says which application these operations are for", "add [app]"));
        }
        return;
    };
    let Some(flaws) = target.misdescribed(description) else {
        let message = format!("the {target} target takes no [app]");
        found.push(Problem::at("target.kind", message, "leave [target] kind out: [app] is then the target"));
        return;
    };
    found.extend(flaws.into_iter().map(|flaw| Problem {
        path: flaw.path,
        message: flaw.message,
        help: flaw.help,
        on_key: false,
    }));
    if !description.is_started() && scenario.lab.proxy.is_none() {
        let message = "an application that already runs must know where its Redis is";
        let help = "add [lab] proxy = \"127.0.0.1:16379\", and point the application there";
        found.push(Problem::at("app.url", message, help));
    }
}
