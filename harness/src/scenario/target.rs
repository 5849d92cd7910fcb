//! What a scenario cannot require from its target: each kind declares its operations and abilities.

use super::error::Problem;
use super::model::Scenario;
use crate::fault::{Hits, On};
use crate::target::Ability;

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
    needed.extend((0..scenario.deploy.len()).map(|i| (format!("deploy.{i}.policy"), Ability::Deploys)));
    for (i, spec) in scenario.fault.iter().enumerate() {
        if let Some(on) = spec.on.as_ref().and_then(On::state) {
            needed.push((format!("fault.{i}.on"), on.state().ability));
        }
        let ability = match spec.kind.hits() {
            Hits::App => Ability::Process,
            // A clock fault has no effect on a target that never reads the clock, and the drill then says so. An
            // application reads the machine's clock, which must not be moved.
            Hits::Clock => Ability::StoreClock,
            // A process resolves names by its machine's resolver, which must not be changed.
            Hits::Names => Ability::StoreNames,
            _ => continue,
        };
        needed.push((format!("fault.{i}.kind"), ability));
    }
    for (path, ability) in needed {
        if let Some((message, help)) = target.lacks(ability) {
            found.push(Problem::at(&path, message, help));
        }
    }
    found.extend(target.unfit(&scenario.store).iter().map(|unfit| Problem::at(unfit.key, unfit.message, unfit.help)));
    for (i, load) in scenario.load.iter().enumerate() {
        let asked = load.mix.weights().into_iter().filter(|(_, weight)| *weight > 0.0).map(|(kind, _)| kind);
        let missing: Vec<&str> =
            asked.filter(|kind| !target.operations().contains(kind)).map(|kind| kind.name()).collect();
        if !missing.is_empty() {
            let known: Vec<&str> = target.operations().iter().map(|kind| kind.name()).collect();
            let message = format!("the {target} target does not support {}", missing.join(", "));
            let help = format!("make the mix of {}", known.join(", "));
            found.push(Problem::at(&format!("load.{i}.mix"), message, help));
        }
    }
}
