//! When the fallback was active, and when lifetimes end.

use firedrill_storage::Event;

use crate::check::Expiry;
use crate::clock::Nanos;
use crate::history::{History, Note};

/// The times of one history that situations ask for.
pub(super) struct Times {
    /// When the fallback was active, in the order of time. One that never ended lasted until the last operation did.
    active: Vec<(Nanos, Nanos)>,
    /// When lifetimes end.
    pub(super) expiry: Expiry,
    /// Whether reads extend them.
    pub(super) sliding: bool,
}

impl Times {
    /// Those of `history`.
    pub(super) fn of(history: &History) -> Self {
        let end = history.ops.ops.iter().map(|op| op.ended).max().unwrap_or(0);
        let (active, sliding) = (active(&history.notes, end), history.header.sliding);
        Self { active, expiry: Expiry::of(history), sliding }
    }

    /// From when to when the fallback was active that was so at `at`.
    pub(super) fn activation(&self, at: Nanos) -> Option<(Nanos, Nanos)> {
        let begun = self.active.partition_point(|(from, _)| *from <= at);
        self.active[..begun].last().copied().filter(|(_, to)| at < *to)
    }
}

/// When the fallback was active. What a process that was killed left open ends where the next one begins.
pub(super) fn active(notes: &[Note], end: Nanos) -> Vec<(Nanos, Nanos)> {
    let mut active: Vec<(Nanos, Nanos)> = Vec::new();
    let mut open: Option<Nanos> = None;
    for note in notes {
        let Note::Store { at, event } = note else { continue };
        match event {
            Event::FallbackStarted { .. } => active.extend(open.replace(*at).map(|from| (from, *at))),
            Event::FallbackEnded { .. } => active.extend(open.take().map(|from| (from, *at))),
            _ => {}
        }
    }
    active.extend(open.map(|from| (from, end.max(from))));
    active
}
