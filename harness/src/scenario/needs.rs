//! What the metrics of gates and the situations need, and whether a scenario provides it.

use super::load_model::LoadSpec;
use super::model::Scenario;
use crate::fault::{FaultSpec, Impostor, Kind as _};
use crate::history::OpKind;
use crate::metric::{Need, Scope};
use crate::nearest::did_you_mean;
use crate::situation::Situation;

/// Why `scenario` has nothing that a metric with this need could measure, and what to do; `None` if it has.
pub(super) fn unmet(scenario: &Scenario, need: Need) -> Option<(String, String)> {
    let unmet = |message: &str, help: &str| Some((message.to_owned(), help.to_owned()));
    match need {
        Need::Target(ability) => scenario.lacks(ability),
        Need::Impostor if !scenario.fault.iter().any(is_impostor) => {
            unmet("there is no impostor of Redis", "add a [[fault]] of kind = \"proxy.impostor\"")
        }
        Need::Claims if scenario.claims.is_empty() => {
            unmet("this scenario claims nothing", "add [claims], such as \"redis.read\" = \"< 10ms\"")
        }
        _ => None,
    }
}

/// Why a situation cannot occur in `scenario`, or cannot be seen, and what to do; `None` if it can.
pub(super) fn impossible(scenario: &Scenario, situation: &Situation) -> Option<(String, String)> {
    if let Some(lacks) = situation.row().ability.and_then(|ability| scenario.lacks(ability)) {
        return Some(lacks);
    }
    let does = |kind| scenario.load.iter().any(|load| load.mix.weights().iter().any(|(of, w)| *of == kind && *w > 0.0));
    situation.operations().find(|kind| !does(*kind)).map(|kind: OpKind| {
        let name = kind.name();
        (
            format!("no load has the operation {name}"),
            format!("give `{name}` a weight in a mix, or leave the situation out"),
        )
    })
}

/// Why nothing in `scenario` has the name in a gate's scope, and which names exist; `None` if something has.
pub(super) fn unknown_name(scenario: &Scenario, scope: &Scope) -> Option<(String, String)> {
    let (kind, name, names): (&str, &str, Vec<String>) = match scope {
        Scope::All | Scope::Phase(_) => return None,
        Scope::Fault(name) => {
            ("fault", name, scenario.disturbances().iter().enumerate().map(|(i, fault)| fault.called(i)).collect())
        }
        Scope::Load(name, _) => {
            ("load", name, scenario.load.iter().enumerate().map(|(i, load)| load_name(i, load)).collect())
        }
    };
    (!names.iter().any(|known| known == name)).then(|| {
        let instead = did_you_mean(name, &names).unwrap_or_else(|| format!("there is {}", names.join(", ")));
        (format!("no {kind} is called `{name}`"), instead)
    })
}

/// The name that gates use for a load block.
pub(super) fn load_name(position: usize, load: &LoadSpec) -> String {
    load.name.clone().unwrap_or_else(|| position.to_string())
}

fn is_impostor(spec: &FaultSpec) -> bool {
    spec.kind.name() == Impostor::NAME
}
