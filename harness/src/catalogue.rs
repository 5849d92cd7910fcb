//! The registries as tables: `firedrill list` prints them, and pages of docs/ hold them as they are generated here.

use firedrill_storage::Policy;

use crate::registry::Registered;
use crate::targets::defect::{Drilled, End};
use crate::{check, fault, lab, metric, microbench, proxy, situation, targets};

/// The things in one registry.
#[derive(Debug)]
pub struct Table {
    /// The flag of `firedrill list` that shows it, and its name in the pages of docs/.
    pub name: &'static str,
    /// What is in it, for the help.
    pub about: &'static str,
    /// For the terminal: name, properties and subject of each.
    pub rows: fn() -> Vec<[String; 3]>,
    /// As a table of the documentation.
    pub markdown: fn() -> String,
}

/// Every table.
pub static TABLES: [Table; 11] = [
    Table {
        name: "faults",
        about: "The kinds of faults, and the parameters that each takes, instead of scenarios",
        rows: || fault::kinds().iter().map(|kind| row(kind.name, parameters(kind), kind.docs.about)).collect(),
        markdown: fault::markdown,
    },
    Table {
        name: "states",
        about: "The states at which a fault can begin, and the targets that report them, instead of scenarios",
        rows: states,
        markdown: || table(["state", "targets", "reported when"], states()),
    },
    Table {
        name: "checkers",
        about: "The checkers, and whether a drill runs them by default, instead of scenarios",
        rows: checkers,
        markdown: check::markdown,
    },
    Table {
        name: "metrics",
        about: "The metrics that gates can limit, instead of scenarios",
        rows: || metric::ROWS.iter().map(|metric| row(metric.key, metric.dimension.name(), metric.about)).collect(),
        markdown: metric::markdown,
    },
    Table {
        name: "situations",
        about: "The situations that a scenario can say must occur, and what they are counted from, instead of scenarios",
        rows: || situation::ROWS.iter().map(|one| row(one.key, one.counted_from(), one.about)).collect(),
        markdown: situation::markdown,
    },
    Table {
        name: "claims",
        about: "What can be claimed of a store, instead of scenarios",
        rows: claims,
        markdown: || table(["claim", "unit", "what is timed"], claims()),
    },
    Table {
        name: "targets",
        about: "The targets, and the operations that each supports, instead of scenarios",
        rows: targets,
        markdown: || table(["kind", "operations", "what it is"], targets()),
    },
    Table {
        name: "topologies",
        about: "The ways to run Redis, and where the proxy is, instead of scenarios",
        rows: topologies,
        markdown: || table(["topology", "fault proxy", "servers"], topologies()),
    },
    Table {
        name: "policies",
        about: "What the store does while Redis is away, and what is lost, instead of scenarios",
        rows: policies,
        markdown: policies_markdown,
    },
    Table {
        name: "toxics",
        about: "The toxics of the fault proxy, and their attributes with their defaults, instead of scenarios",
        rows: toxics,
        markdown: || table(["type", "attributes", "what it does"], toxics()),
    },
    Table {
        name: "defects",
        about: "The defects that can be planted in the store, and what catches them, instead of scenarios",
        rows: defects,
        markdown: defects_markdown,
    },
];

fn states() -> Vec<[String; 3]> {
    let able = |ability| <dyn targets::Kind>::all().iter().filter(move |kind| kind.abilities().contains(&ability));
    let tell = |ability| able(ability).map(|kind| Registered::name(*kind)).collect::<Vec<_>>().join(", ");
    fault::StoreState::all().iter().map(|state| row(state.name(), tell(state.ability), state.about())).collect()
}

fn checkers() -> Vec<[String; 3]> {
    let asked = |facts: &check::Facts| if facts.on_request { "on request" } else { "by default" };
    let facts = check::all().iter().map(|checker| checker.facts());
    facts.map(|facts| row(facts.name, asked(&facts), facts.about)).collect()
}

fn claims() -> Vec<[String; 3]> {
    microbench::MICROBENCHES.iter().map(|claim| row(claim.name, "time", claim.about)).collect()
}

fn targets() -> Vec<[String; 3]> {
    let operations = |kind: &dyn targets::Kind| kind.operations().iter().map(|op| op.name()).collect::<Vec<_>>();
    let kinds = <dyn targets::Kind>::all().iter();
    kinds.map(|kind| row(Registered::name(*kind), operations(*kind).join(", "), Registered::about(*kind))).collect()
}

fn topologies() -> Vec<[String; 3]> {
    let kinds = lab::Topology::ALL.iter().map(|topology| topology.kind());
    kinds.map(|kind| row(kind.name, kind.reached.proxies(), kind.about)).collect()
}

fn policies() -> Vec<[String; 3]> {
    let default = |policy| if policy == Policy::default() { "default" } else { "" };
    let about = |[away, _, lost]: [&str; 3]| format!("Redis away: {away}; lost: {lost}");
    Policy::ALL.map(|policy| row(policy.name(), default(policy), &about(policy.documented()))).into()
}

/// With a column for each of the three things that the docs say of a policy.
fn policies_markdown() -> String {
    let mut text = "| policy | Redis away | Redis back | what is lost |\n|---|---|---|---|\n".to_owned();
    for policy in Policy::ALL {
        let default = if policy == Policy::default() { " (default)" } else { "" };
        text.push_str(&format!("| `{policy}`{default} | {} |\n", policy.documented().join(" | ")));
    }
    text
}

fn toxics() -> Vec<[String; 3]> {
    let attributes = |kind: &proxy::toxic::Registered| {
        let defaults = kind.defaults();
        defaults.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    proxy::toxic::KINDS.iter().map(|kind| row(kind.name, attributes(kind), kind.about)).collect()
}

fn defects() -> Vec<[String; 3]> {
    let planted = targets::Planted::all().iter();
    planted.map(|defect| row(defect.name(), drills(defect, ""), defect.about())).collect()
}

/// With a column for where each was seen.
fn defects_markdown() -> String {
    let mut text = "| defect | what it does | where it was seen | caught by |\n|---|---|---|---|\n".to_owned();
    for defect in targets::Planted::all() {
        let (name, about, source) = (defect.name(), defect.about(), defect.source);
        text.push_str(&format!("| `{name}` | {about} | {source} | {} |\n", drills(defect, "`")));
    }
    text
}

/// What catches a defect, and in which scenarios.
fn drills(defect: &targets::Planted, mark: &str) -> String {
    let one = |drilled: &Drilled| match drilled.end {
        End::Escapes(reason) => format!("escapes {}: {reason}", drilled.scenario),
        End::Caught(by) | End::CaughtAlone(by) => {
            let by = by.iter().map(|by| format!("{mark}{}{mark}", by.strip_prefix("checks.").unwrap_or(by)));
            format!("{} in {}", by.collect::<Vec<_>>().join(", "), drilled.scenario)
        }
    };
    defect.drills.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// `latency jitter=0s stream=downstream`: a parameter without a default is required.
fn parameters(kind: &fault::Entry) -> String {
    let word = |parameter: fault::Parameter| match parameter.default() {
        Some(default) => format!("{}={default}", parameter.name),
        None => parameter.name,
    };
    kind.parameters().into_iter().map(word).collect::<Vec<_>>().join(" ")
}

fn row(name: &str, properties: impl Into<String>, about: &str) -> [String; 3] {
    [name.to_owned(), properties.into(), about.to_owned()]
}

/// A table in Markdown, its first column as code.
fn table(columns: [&str; 3], rows: Vec<[String; 3]>) -> String {
    let mut text = format!("| {} |\n|---|---|---|\n", columns.join(" | "));
    for [name, properties, about] in rows {
        text.push_str(&format!("| `{name}` | {properties} | {about} |\n"));
    }
    text
}
