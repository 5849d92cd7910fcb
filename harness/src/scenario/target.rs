//! What a scenario cannot require from its target: each kind declares its operations and abilities.

use super::error::Problem;
use super::model::Scenario;
use crate::fault::{Hits, On};
use crate::history::OpKind;
use crate::target::Ability;
use crate::targets::{Description, TargetKind};

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
    let unfit = target.unfit(&scenario.store, description.as_ref());
    found.extend(unfit.iter().map(|unfit| Problem::at(unfit.key, unfit.message, unfit.help)));
    described(found, scenario, description.as_ref());
    let offers = |kind: &OpKind| {
        target.operations().contains(kind) && description.as_ref().is_none_or(|description| description.offers(*kind))
    };
    for (i, load) in scenario.load.iter().enumerate() {
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
