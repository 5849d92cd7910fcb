//! What the metrics of gates need, and whether a scenario provides it.

use super::model::{LoadSpec, Scenario};
use crate::fault::{FaultSpec, Impostor, Kind as _};
use crate::metric::{Need, Scope};

/// Why `scenario` has nothing that a metric with this need could measure, and what to do; `None` if it has.
pub(super) fn unmet(scenario: &Scenario, need: Need) -> Option<(String, String)> {
    let unmet = |message: &str, help: &str| Some((message.to_owned(), help.to_owned()));
    match need {
        Need::Target(ability) => scenario.target.kind.lacks(ability),
        Need::Impostor if !scenario.fault.iter().any(is_impostor) => {
            unmet("there is no impostor of Redis", "add a [[fault]] of kind = \"proxy.impostor\"")
        }
        Need::Claims if scenario.claims.is_empty() => {
            unmet("this scenario claims nothing", "add [claims], such as \"redis.read\" = \"< 10ms\"")
        }
        _ => None,
    }
}

/// Why nothing in `scenario` has the name in a gate's scope, and which names exist; `None` if something has.
pub(super) fn unknown_name(scenario: &Scenario, scope: &Scope) -> Option<(String, String)> {
    let (kind, name, names): (&str, &str, Vec<String>) = match scope {
        Scope::All | Scope::Phase(_) => return None,
        Scope::Fault(name) => {
            ("fault", name, scenario.fault.iter().enumerate().map(|(i, fault)| fault.called(i)).collect())
        }
        Scope::Load(name, _) => {
            ("load", name, scenario.load.iter().enumerate().map(|(i, load)| load_name(i, load)).collect())
        }
    };
    (!names.iter().any(|known| known == name))
        .then(|| (format!("no {kind} is called `{name}`"), format!("there is {}", names.join(", "))))
}

/// The name that gates use for a load block.
pub(super) fn load_name(position: usize, load: &LoadSpec) -> String {
    load.name.clone().unwrap_or_else(|| position.to_string())
}

fn is_impostor(spec: &FaultSpec) -> bool {
    spec.kind.name() == Impostor::NAME
}
