//! Collects notes until they are written.

use std::sync::Arc;
use std::time::Instant;

use firedrill_storage::Event;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::note::Note;
use crate::clock::{Clock, Nanos};

type Noted = Box<dyn FnOnce(Nanos) -> Note + Send>;

/// An event of the store, and when it was reported.
#[derive(Debug, Clone)]
pub struct Reported {
    /// When it was reported.
    pub at: Instant,
    /// Which of several stores, from 0.
    pub instance: u32,
    /// The event.
    pub event: Event,
}

/// Accepts notes from anywhere without waiting for the disk. Clones write to the same history.
#[derive(Clone, Default)]
pub struct Notes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    noted: Mutex<Vec<(Instant, Noted)>>,
    listeners: Mutex<Vec<UnboundedSender<Reported>>>,
}

impl Notes {
    /// Notes something that happens now; `note` gets the time on the drill's clock.
    pub fn add(&self, note: impl FnOnce(Nanos) -> Note + Send + 'static) {
        self.0.noted.lock().push((Instant::now(), Box::new(note)));
    }

    /// Notes an event of one of the stores at the time it was reported, unless the history's JSON must not contain it.
    pub fn store(&self, reported: Instant, instance: u32, event: Event) {
        if !matches!(event, Event::Unreadable { .. }) {
            self.0
                .listeners
                .lock()
                .retain(|listener| listener.send(Reported { at: reported, instance, event: event.clone() }).is_ok());
            self.0.noted.lock().push((reported, Box::new(move |at| Note::Store { at, instance, event })));
        }
    }

    /// Every event that the store reports from now on.
    pub fn listen(&self) -> UnboundedReceiver<Reported> {
        let (listener, heard) = unbounded_channel();
        self.0.listeners.lock().push(listener);
        heard
    }

    /// Takes out all notes, with times by `clock`.
    pub fn drain(&self, clock: &Clock) -> Vec<Note> {
        let noted = std::mem::take(&mut *self.0.noted.lock());
        noted.into_iter().map(|(at, note)| note(clock.at(at))).collect()
    }
}
