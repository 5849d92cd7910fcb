//! When the fallback was active, and when lifetimes end.

use crate::check::Expiry;
use crate::clock::Nanos;
use crate::history::{History, Process, activations};

/// A period, from its beginning to its end.
pub(super) type Span = (Nanos, Nanos);

/// The times of one history that situations ask for.
pub(super) struct Times {
    /// For each store, when its fallback was active, in the order of time. One that never ended lasted until the last
    /// operation did.
    active: Vec<Vec<Span>>,
    /// When lifetimes end.
    pub(super) expiry: Expiry,
    /// Whether reads extend them.
    pub(super) sliding: bool,
}

impl Times {
    /// Those of `history`.
    pub(super) fn of(history: &History) -> Self {
        let end = history.ops.ops.iter().map(|op| op.ended).max().unwrap_or(0);
        let (active, sliding) = (active(history, end), history.header.sliding);
        Self { active, expiry: Expiry::of(history), sliding }
    }

    /// From when to when the fallback that answers `process` was active, if it was so at `at`.
    pub(super) fn activation_for(&self, process: Process, at: Nanos) -> Option<Span> {
        holding(&self.active[process as usize % self.active.len()], at)
    }

    /// From when to when a fallback was active that was so at `at`: of several, the first store's.
    pub(super) fn activation(&self, at: Nanos) -> Option<Span> {
        self.active.iter().find_map(|active| holding(active, at))
    }
}

/// The one of `spans` that holds `at`.
fn holding(spans: &[Span], at: Nanos) -> Option<Span> {
    let begun = spans.partition_point(|(from, _)| *from <= at);
    spans[..begun].last().copied().filter(|(_, to)| at < *to)
}

/// When the fallback of each store was active; there is at least one store.
pub(super) fn active(history: &History, end: Nanos) -> Vec<Vec<Span>> {
    let mut active = vec![Vec::new(); history.header.instances.get() as usize];
    for one in activations(&history.notes) {
        if let Some(active) = active.get_mut(one.instance as usize) {
            let to = if one.to == Nanos::MAX { end.max(one.from) } else { one.to };
            active.push((one.from, to));
        }
    }
    active
}
