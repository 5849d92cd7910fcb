//! The bands over the timeline: phases, faults, and the state of the fallback, the policy, the circuit breaker and the
//! connection, each with its periods.

use super::chart::{Lane, Stretch};
use crate::run::{Activation, Machine, ResourceSample, Run, Stall, StoreEvents};
use crate::{describe, text};

/// The lanes of `run`, whose chart ends at `end`; a state that was never on has none, but for the fallback's.
pub(super) fn lanes(run: &Run, end: f64) -> Vec<Lane> {
    let phases = run.phases.iter().map(|phase| Stretch {
        class: phase.name.name(),
        from: phase.figures.from_ms,
        to: phase.figures.to_ms,
        text: phase.name.name().to_string(),
        title: format!("{} {}", phase.name.name(), text::window(phase.figures.from_ms, Some(phase.figures.to_ms))),
    });
    let mut lanes = vec![Lane { name: "phase".to_string(), bars: phases.collect() }];
    for fault in &run.faults {
        let hit = if fault.hit.is_empty() { String::new() } else { format!(" at {}", fault.hit.join(", ")) };
        let bar = fault.onset_ms.map(|onset| Stretch {
            class: "fault",
            from: onset,
            to: fault.end_ms.unwrap_or(end),
            text: describe::fault_name(fault),
            title: format!("{} {}{hit}", fault.kind, text::window(onset, fault.end_ms)),
        });
        let name = if run.faults.len() == 1 { "fault".to_string() } else { format!("fault {}", fault.index) };
        lanes.push(Lane { name, bars: bar.into_iter().collect() });
    }
    let fallback = run.fallback.activations.iter().flat_map(|activation| fallback(activation, end));
    lanes.push(Lane { name: "fallback".to_string(), bars: fallback.collect() });
    lanes.extend(store_lanes(&run.store, end));
    lanes.extend(connection(&run.resources, end));
    lanes.extend(stalls(&run.machine));
    lanes
}

/// An activation of the fallback, and over its end the time in which it wrote back what Redis lacked.
fn fallback(activation: &Activation, end: f64) -> impl Iterator<Item = Stretch> + use<> {
    let to = activation.ended_ms.unwrap_or(end);
    let active = Stretch {
        class: "fallback",
        from: activation.started_ms,
        to,
        text: format!("{} served", text::count(activation.served)),
        title: text::window(activation.started_ms, activation.ended_ms),
    };
    let drain = activation.drain_from_ms.map(|from| Stretch {
        class: "drain",
        from,
        to,
        text: "drain".to_string(),
        title: format!("writing back {}", text::window(from, activation.ended_ms)),
    });
    [Some(active), drain].into_iter().flatten()
}

/// The deployed policies, and the times when the circuit breaker was open; lanes without content are left out.
fn store_lanes(store: &StoreEvents, end: f64) -> Vec<Lane> {
    let ends = store.deploys.iter().skip(1).map(|deploy| deploy.at_ms).chain([end]);
    let policies = store.deploys.iter().zip(ends).map(|(deploy, to)| Stretch {
        class: "fallback",
        from: deploy.at_ms,
        to,
        text: deploy.to.clone(),
        title: format!("{} {}", deploy.to, text::window(deploy.at_ms, Some(to))),
    });
    let open = store.breaker.iter().map(|outage| Stretch {
        class: "fault",
        from: outage.opened_ms,
        to: outage.closed_ms.unwrap_or(end),
        text: "open".to_string(),
        title: text::window(outage.opened_ms, outage.closed_ms),
    });
    let lanes = [("policy", policies.collect::<Vec<_>>()), ("breaker", open.collect())];
    let used = lanes.into_iter().filter(|(_, bars)| !bars.is_empty());
    used.map(|(name, bars)| Lane { name: name.to_string(), bars }).collect()
}

/// When the target had no connection to Redis: as it says itself, or else by the connections that the proxy saw. Between two
/// samples nobody looked, so a bar begins with the first sample that shows none and ends with the next that shows one. No
/// lane if nothing was sampled.
fn connection(samples: &[ResourceSample], end: f64) -> Option<Lane> {
    let is_connected = |sample: &ResourceSample| sample.connected.or(sample.connections_open.map(|open| open > 0));
    let known: Vec<(f64, bool)> =
        samples.iter().filter_map(|sample| Some((sample.at_ms, is_connected(sample)?))).collect();
    known.first()?;
    let mut bars = Vec::new();
    let mut since = None;
    for (at, connected) in known {
        match (connected, since) {
            (false, None) => since = Some(at),
            (true, Some(from)) => {
                bars.push(none_between(from, at, end));
                since = None;
            }
            _ => {}
        }
    }
    bars.extend(since.map(|from| none_between(from, f64::INFINITY, end)));
    Some(Lane { name: "connection".to_string(), bars })
}

fn none_between(from: f64, to: f64, end: f64) -> Stretch {
    let title = format!("no connection {}", text::window(from, to.is_finite().then_some(to)));
    Stretch { class: "fault", from, to: to.min(end.max(from)), text: "none".to_string(), title }
}

/// Whether a person would notice it.
pub(super) fn is_noticeable(stall: &Stall) -> bool {
    const NOTICEABLE_MS: f64 = 10.0;
    stall.denied_ms >= NOTICEABLE_MS
}

/// The noticeable stalls of the machine; no lane if there were none.
fn stalls(machine: &Machine) -> Option<Lane> {
    let bar = |stall: &Stall| Stretch {
        class: "stall",
        from: stall.from_ms,
        to: stall.to_ms,
        text: String::new(),
        title: format!("stalled for {} at {}", text::millis(stall.denied_ms), text::moment(stall.from_ms)),
    };
    let bars: Vec<Stretch> = machine.stalls.iter().filter(|stall| is_noticeable(stall)).map(bar).collect();
    (!bars.is_empty()).then(|| Lane { name: "stalls".to_string(), bars })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(samples: &[(f64, Option<bool>, Option<u64>)]) -> Option<Vec<(f64, f64)>> {
        let sample = |&(at_ms, connected, connections_open): &(f64, Option<bool>, Option<u64>)| ResourceSample {
            at_ms,
            connected,
            connections_open,
            ..ResourceSample::default()
        };
        let lane = connection(&samples.iter().map(sample).collect::<Vec<_>>(), 9.0)?;
        Some(lane.bars.iter().map(|bar| (bar.from, bar.to)).collect())
    }

    #[test]
    fn a_bar_is_where_no_sample_shows_a_connection() {
        assert_eq!(bars(&[(1.0, None, None)]), None);
        assert_eq!(bars(&[(1.0, None, Some(4)), (2.0, None, Some(4))]), Some(vec![]));
        let cut = [(1.0, None, Some(4)), (2.0, None, Some(0)), (3.0, None, Some(0)), (4.0, None, Some(1))];
        assert_eq!(bars(&cut), Some(vec![(2.0, 4.0)]));
        assert_eq!(bars(&[(1.0, Some(false), Some(4)), (8.0, Some(false), Some(4))]), Some(vec![(1.0, 9.0)]));
    }
}
