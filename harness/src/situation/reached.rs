//! Which operations met which state of the target, and how they ended there.

use firedrill_reports::run::{OutcomeCounts, Reached};

use super::times::active;
use crate::clock::Nanos;
use crate::history::{Note, OpKind};
use crate::measure::{Load, Window};

/// The states of a target in the order in which they first occurred, and when each began.
pub struct States {
    names: Vec<&'static str>,
    /// From when on the target was in the state at this place of `names`, in the order of time.
    changes: Vec<(Nanos, usize)>,
}

impl States {
    /// Whether the fallback was active, where one took over while the load ran, which ended at `load_end`. Else nothing tells
    /// a state, and `phases` stand for them.
    pub fn of(notes: &[Note], phases: &[Window], load_end: Nanos) -> Self {
        let active: Vec<(Nanos, Nanos)> =
            active(notes, Nanos::MAX).into_iter().filter(|(from, to)| *from < load_end && *to > 0).collect();
        if active.is_empty() {
            let names = phases.iter().map(|window| window.phase.name()).collect();
            return Self { names, changes: phases.iter().enumerate().map(|(at, window)| (window.from, at)).collect() };
        }
        let (connected, fallback) = (0, 1);
        let mut changes = vec![(Nanos::MIN, connected)];
        for (from, to) in active {
            changes.extend([(from, fallback), (to, connected)]);
        }
        Self { names: vec![Reached::CONNECTED, Reached::FALLBACK], changes }
    }

    /// The place of the state at `at`; before the first change it is the first state.
    fn at(&self, at: Nanos) -> usize {
        let begun = self.changes.partition_point(|(from, _)| *from <= at);
        begun.checked_sub(1).map_or(0, |last| self.changes[last].1)
    }
}

/// How the operations of the load ended: for each state, each kind of operation in `mix`, and what was sent beside it.
pub fn reached(load: &Load<'_>, states: &States, mix: &[OpKind]) -> Vec<Reached> {
    let mut cells = vec![[OutcomeCounts::default(); OpKind::COUNT]; states.names.len()];
    for op in load.ops() {
        if let Some(state) = cells.get_mut(states.at(op.started)) {
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
