//! What the answers mean for tomorrow: head-room, and nodes.

use firedrill_capacity as search;
use firedrill_capacity::{Demand, NodeLimits, head_room, size};
use firedrill_reports::capacity::{Capacity, HeadRoom, Knee, NodeAnswer, Sizing, Stored, SurvivableAnswer, Until};

use super::growth::Growth;
use super::machine;
use super::nodes::{NodeType, Nodes};

/// A rate with its interval.
struct Known {
    what: &'static str,
    rate: f64,
    low: f64,
    high: f64,
    at_least: bool,
}

/// The rates that `capacity` knows, the most careful first.
fn known(capacity: &Capacity) -> Vec<Known> {
    let sharp = |what, rate, at_least| Known { what, rate, low: rate, high: rate, at_least };
    let survivable = capacity.survivable.as_ref().and_then(|survivable| match survivable.answer {
        SurvivableAnswer::Between { rate, below, .. } => {
            Some(Known { what: "survivable rate", rate, low: rate, high: below, at_least: false })
        }
        SurvivableAnswer::AtLeast { rate } => Some(sharp("survivable rate", rate, true)),
        SurvivableAnswer::Below { .. } | SurvivableAnswer::Unknown => None,
    });
    let healthy = match capacity.knee {
        Knee::At { rate, low, high } => Some(Known { what: "highest rate", rate, low, high, at_least: false }),
        Knee::AtLeast { rate } => Some(sharp("highest rate", rate, true)),
        Knee::Below { .. } | Knee::Unknown { .. } | Knee::NotAsked => None,
    };
    survivable.into_iter().chain(healthy).collect()
}

/// How long the rates that `capacity` knows last, if load of `now` operations per second grows like this.
pub fn outlast(capacity: &Capacity, now: f64, growth: Option<Growth>) -> HeadRoom {
    let growth = growth.map_or(0.0, Growth::monthly);
    let months = |rate| match head_room(rate, now, growth) {
        search::HeadRoom::Exceeded => Some(0.0),
        search::HeadRoom::Months(months) => Some(months),
        search::HeadRoom::Endless => None,
    };
    let until = |known: &Known| Until {
        what: known.what.to_owned(),
        rate: known.rate,
        at_least: known.at_least,
        months: months(known.rate)
            .zip(months(known.low))
            .zip(months(known.high))
            .map(|((at, low), high)| [at, low, high]),
    };
    HeadRoom { now, growth, until: known(capacity).iter().map(until).collect() }
}

/// The nodes that `now` operations per second and `sessions` take. The most careful rate that is known counts, and of several
/// ways to store sessions the one called `stored`, or the first.
pub fn sizes(capacity: &Capacity, nodes: &Nodes, now: f64, sessions: Option<f64>, stored: &str) -> Sizing {
    let kinds = capacity.memory.iter().flat_map(|memory| &memory.kinds);
    let session = kinds.clone().find(|kind| kind.name == stored).or(kinds.clone().next());
    let measured_rate = known(capacity).first().map(|known| known.rate);
    let demand = Demand {
        rate: measured_rate.is_some().then_some(now),
        sessions,
        utilisation: nodes.utilisation.0,
        spare: nodes.spare,
    };
    let mut types: Vec<NodeAnswer> =
        nodes.types.iter().map(|node| answer(node, demand, measured_rate, session)).collect();
    types.sort_by(|one, other| {
        let price = |node: &NodeAnswer| node.price.unwrap_or(f64::INFINITY);
        price(one).total_cmp(&price(other))
    });
    Sizing {
        rate: now,
        sessions,
        measured_rate,
        session_bytes: session.map(Stored::whole),
        utilisation: nodes.utilisation.0,
        spare: nodes.spare,
        types,
    }
}

fn answer(node: &NodeType, demand: Demand, rate: Option<f64>, session: Option<&Stored>) -> NodeAnswer {
    let maxmemory = session.map(|session| machine::of(session, node.memory.0 as f64).recommended());
    let sessions = maxmemory.zip(session).map(|(maxmemory, session)| maxmemory / session.whole().max(1.0));
    let sized = size(demand, NodeLimits { rate, sessions });
    NodeAnswer {
        name: node.name.clone(),
        vcpu: node.vcpu,
        memory: node.memory.0,
        maxmemory,
        by_memory: sized.and_then(|sized| sized.by_memory),
        by_cpu: sized.and_then(|sized| sized.by_rate),
        nodes: sized.map(|sized| sized.nodes),
        memory_used: sized.and_then(|sized| sized.memory_used),
        cpu_used: sized.and_then(|sized| sized.rate_used),
        price: sized.map(|sized| f64::from(sized.nodes) * node.price),
    }
}
