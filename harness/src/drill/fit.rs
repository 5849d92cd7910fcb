//! Whether a scenario and the Redis or the target that somebody chose for it fit together.

use super::error::DrillError;
use crate::fault::Hits;
use crate::lab::{LabError, Mismatch, RedisUrl, Topology};
use crate::metric::Need;
use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::target::Ability;

/// Removes the gates and situations from `scenario` that its target reports nothing for, and returns their keys.
pub(super) fn leave_out(scenario: &mut Scenario) -> Vec<String> {
    let (target, mut left_out) = (scenario.target.kind, Vec::new());
    scenario.gates.retain(|gate| {
        let reported = match gate.of.row().needs {
            Need::Target(ability) => target.abilities().contains(&ability),
            _ => true,
        };
        if !reported {
            left_out.push(gate.key.clone());
        }
        reported
    });
    scenario.situations.retain(|stated| {
        let reported = stated.of.row().ability.is_none_or(|ability| target.abilities().contains(&ability));
        if !reported {
            left_out.push(stated.key.clone());
        }
        reported
    });
    left_out
}

/// Whether `plan` can run on an external Redis.
///
/// # Errors
/// [`Mismatch::ProcessFaultOnExternal`] for the first fault that needs the server's process;
/// [`Mismatch::TopologyOnExternal`]; [`DrillError::Unfit`] if the target does not speak TLS.
pub(super) fn fits_external(plan: &Plan, url: &RedisUrl) -> Result<(), DrillError> {
    let topology = plan.scenario.lab.topology;
    if topology != Topology::Standalone {
        return Err(LabError::Mismatch(Mismatch::TopologyOnExternal { topology: topology.name() }).into());
    }
    if let (true, Some((message, help))) = (url.is_tls(), plan.scenario.lacks(Ability::Tls)) {
        return Err(DrillError::Unfit(message, help));
    }
    if plan.scenario.description().is_some_and(|app| app.is_started() && !app.names_prefix()) {
        let message = "the application would write keys of its own names into a Redis that others use";
        let help = "give it {{prefix}} as the prefix of its keys, in [app.env], or leave --redis out";
        return Err(DrillError::Unfit(message.into(), help.into()));
    }
    match plan.faults.iter().find(|fault| fault.kind.hits() == Hits::Process) {
        Some(fault) => {
            Err(LabError::Mismatch(Mismatch::ProcessFaultOnExternal { fault: fault.kind.name(), url: url.to_string() })
                .into())
        }
        None => Ok(()),
    }
}
