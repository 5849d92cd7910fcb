//! Which operations met which state of the target, and how they ended there.

use firedrill_reports::run::{OutcomeCounts, Reached};

use super::times::{Span, active};
use crate::clock::Nanos;
use crate::history::{History, OpKind, Process};
use crate::measure::{Load, Window};

/// The states of a target in the order in which they first occurred, and when each began.
pub struct States {
    names: Vec<&'static str>,
    /// For each store, from when on it was in the state at this place of `names`, in the order of time; one entry where
    /// nothing tells them apart.
    changes: Vec<Vec<(Nanos, usize)>>,
}

impl States {
    /// Whether the fallback was active, where one took over while the load ran, which ended at `load_end`. Else nothing tells
    /// a state, and `phases` stand for them.
    pub fn of(history: &History, phases: &[Window], load_end: Nanos) -> Self {
        let mut active = active(history, Nanos::MAX);
        for active in &mut active {
            active.retain(|(from, to)| *from < load_end && *to > 0);
        }
        if active.iter().all(Vec::is_empty) {
            let names = phases.iter().map(|window| window.phase.name()).collect();
            let changes = phases.iter().enumerate().map(|(at, window)| (window.from, at)).collect();
            return Self { names, changes: vec![changes] };
        }
        let (connected, fallback) = (0, 1);
        let changes = |active: &Vec<Span>| {
            let all = active.iter().flat_map(|(from, to)| [(*from, fallback), (*to, connected)]);
            [(Nanos::MIN, connected)].into_iter().chain(all).collect()
        };
        let changes = active.iter().map(changes).collect();
        Self { names: vec![Reached::CONNECTED, Reached::FALLBACK], changes }
    }

    /// The place of the state that `process` met at `at`; before the first change it is the first state.
    fn met_by(&self, process: Process, at: Nanos) -> usize {
        let changes = &self.changes[process as usize % self.changes.len()];
        let begun = changes.partition_point(|(from, _)| *from <= at);
        begun.checked_sub(1).map_or(0, |last| changes[last].1)
    }
}

/// How the operations of the load ended: for each state, each kind of operation in `mix`, and what was sent beside it.
pub fn reached(load: &Load<'_>, states: &States, mix: &[OpKind]) -> Vec<Reached> {
    let mut cells = vec![[OutcomeCounts::default(); OpKind::COUNT]; states.names.len()];
    for op in load.ops() {
        if let Some(state) = cells.get_mut(states.met_by(op.process, op.started)) {
            state[op.kind as usize].add(op.outcome, 1);
        }
    }
    let sent = |kind: OpKind| cells.iter().any(|state| state[kind as usize].total() > 0);
    let kinds: Vec<OpKind> = OpKind::ALL.into_iter().filter(|kind| mix.contains(kind) || sent(*kind)).collect();
    let cell = |state: usize, kind: OpKind| Reached {
        state: states.names[state].to_owned(),
        op: kind.name().to_owned(),
        outcomes: cells[state][kind as usize],
    };
    (0..states.names.len()).flat_map(|state| kinds.iter().map(move |kind| cell(state, *kind))).collect()
}
