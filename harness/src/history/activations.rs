//! When fallbacks were active.

use firedrill_storage::Event;

use super::note::Note;
use crate::clock::Nanos;

/// A period in which the fallback of a store was active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activation {
    /// The store, of several.
    pub instance: u32,
    /// When it took over.
    pub from: Nanos,
    /// When everything was handed back; the end of time if it never was. What a process that was killed left open ends where
    /// the next one begins.
    pub to: Nanos,
}

/// The activations in `notes`, which are in order of time, by their beginning.
pub fn activations(notes: &[Note]) -> Vec<Activation> {
    let mut found: Vec<Activation> = Vec::new();
    for note in notes {
        let Note::Store { at, instance, event } = note else { continue };
        let last = found.iter_mut().rev().find(|one| one.instance == *instance);
        let open = last.filter(|one| one.to == Nanos::MAX);
        match event {
            Event::FallbackStarted { .. } => {
                if let Some(open) = open {
                    open.to = *at;
                }
                found.push(Activation { instance: *instance, from: *at, to: Nanos::MAX });
            }
            Event::FallbackEnded { .. } => {
                if let Some(open) = open {
                    open.to = *at;
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_storage::FallbackCause;

    use super::*;

    #[test]
    fn each_store_has_its_own_and_one_that_never_ended_lasts_until_the_next_of_its_store() {
        let on = |at, instance| Note::Store {
            at,
            instance,
            event: Event::FallbackStarted { cause: FallbackCause::Timeout },
        };
        let off = |at, instance| Note::Store {
            at,
            instance,
            event: Event::FallbackEnded { lasted: Duration::ZERO, served: 0 },
        };
        let notes = [on(1, 0), on(2, 1), off(3, 0), off(4, 1), on(5, 1), on(7, 1), off(8, 0)];
        let found: Vec<(u32, Nanos, Nanos)> =
            activations(&notes).iter().map(|one| (one.instance, one.from, one.to)).collect();
        assert_eq!(found, [(0, 1, 3), (1, 2, 4), (1, 5, 7), (1, 7, Nanos::MAX)]);
    }
}
