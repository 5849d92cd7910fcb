//! Whether a plan can run on a Redis that is already there, and what a scenario asks of a target in vain. Decided from plan and
//! URL alone; the server is asked later.

use super::error::DrillError;
use crate::fault::Hits;
use crate::lab::{LabError, Mismatch, RedisUrl};
use crate::metric::Need;
use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::target::Ability;
use crate::targets::Description;

/// Whether this process has every variable that the application's environment takes from it.
///
/// # Errors
/// [`DrillError::Unfit`] for the first that is missing.
pub fn has_variables(description: &Description) -> Result<(), DrillError> {
    match description.unset_variables().first() {
        None => Ok(()),
        Some(name) => Err(DrillError::Unfit(
            format!("the application's environment uses {{{{env.{name}}}}}, but there is no variable {name}"),
            format!("set it where firedrill runs: export {name}=…"),
        )),
    }
}

/// Whether `plan` can run on an external Redis.
///
/// # Errors
/// [`Mismatch::TopologyOnExternal`]; [`Mismatch::ProcessFaultOnExternal`] and [`Mismatch::NotOurs`] for the first fault that
/// needs servers of the drill's own; [`DrillError::Unfit`] if the target does not speak TLS, or cannot be led through a proxy.
pub fn fits_external(plan: &Plan, url: &RedisUrl) -> Result<(), DrillError> {
    let topology = plan.scenario.lab.topology;
    if topology.kind().find.is_none() {
        return Err(LabError::Mismatch(Mismatch::TopologyOnExternal { topology: topology.name() }).into());
    }
    if let (true, Some((message, help))) = (url.is_tls(), plan.scenario.lacks(Ability::Tls)) {
        return Err(DrillError::Unfit(message, help));
    }
    if plan.scenario.description().is_some_and(|app| app.is_started() && !app.names("prefix")) {
        let message = "the application would write keys of its own names into a Redis that others use";
        let help = "give it {{prefix}} as the prefix of its keys, in [app.env], or leave --redis out";
        return Err(DrillError::Unfit(message.into(), help.into()));
    }
    let cuts_network = plan.faults.iter().any(|fault| fault.kind.hits() == Hits::Network);
    if topology.fails_over() && cuts_network && plan.scenario.lacks(Ability::StoreNames).is_some() {
        let message = "this target goes to the addresses that the servers announce, and a drill does not change those of \
                       servers that others use";
        let help = "drill the store ([target] kind = \"store\"), leave the proxy.* faults out, or leave --redis out";
        return Err(DrillError::Unfit(message.into(), help.into()));
    }
    match plan.faults.iter().map(|fault| &fault.kind).find(|kind| kind.needs_own_servers()) {
        Some(kind) => {
            let (fault, url) = (kind.name(), url.to_string());
            Err(LabError::Mismatch(match kind.hits() {
                Hits::Process => Mismatch::ProcessFaultOnExternal { fault, url },
                _ => Mismatch::NotOurs { fault, url },
            })
            .into())
        }
        None => Ok(()),
    }
}

/// Removes the gates and situations from `scenario` that its target reports nothing for, and returns their keys.
pub fn leave_out(scenario: &mut Scenario) -> Vec<String> {
    let mut left_out = Vec::new();
    let asked = scenario.clone();
    scenario.gates.retain(|gate| {
        let reported = match gate.of.row().needs {
            Need::Target(ability) => asked.has(ability),
            _ => true,
        };
        if !reported {
            left_out.push(gate.key.clone());
        }
        reported
    });
    scenario.situations.retain(|stated| {
        let reported = stated.of.row().ability.is_none_or(|ability| asked.has(ability));
        if !reported {
            left_out.push(stated.key.clone());
        }
        reported
    });
    left_out
}
