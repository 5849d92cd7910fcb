//! Collects notes until they are written.

use std::sync::Arc;
use std::time::Instant;

use firedrill_storage::Event;
use parking_lot::Mutex;

use super::note::Note;
use crate::clock::{Clock, Nanos};

type Noted = Box<dyn FnOnce(Nanos) -> Note + Send>;

/// Accepts notes from anywhere without waiting for the disk. Clones write to the same history.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<(Instant, Noted)>>>);

impl Notes {
    /// Notes something that happens now; `note` gets the time on the drill's clock.
    pub fn add(&self, note: impl FnOnce(Nanos) -> Note + Send + 'static) {
        self.0.lock().push((Instant::now(), Box::new(note)));
    }

    /// Notes an event of one of the stores at the time it was reported, unless the history's JSON must not contain it.
    pub fn store(&self, reported: Instant, instance: u32, event: Event) {
        if !matches!(event, Event::Unreadable { .. }) {
            self.0.lock().push((reported, Box::new(move |at| Note::Store { at, instance, event })));
        }
    }

    /// Takes out all notes, with times by `clock`.
    pub fn drain(&self, clock: &Clock) -> Vec<Note> {
        let noted = std::mem::take(&mut *self.0.lock());
        noted.into_iter().map(|(at, note)| note(clock.at(at))).collect()
    }
}
