//! Passes what the stores report on to the drill's observer.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::observer::{Happening, Observer};
use crate::clock::Clock;
use crate::history::Reported;

/// Passes reports on, until dropped. A store reports from within an operation, which must not wait for an observer.
pub struct Hearsay(JoinHandle<()>);

impl Hearsay {
    /// Starts with what has been `reported` so far, on the current runtime.
    pub fn pass_on(mut reported: UnboundedReceiver<Reported>, clock: Clock, observer: Arc<dyn Observer>) -> Self {
        Self(tokio::spawn(async move {
            while let Some(Reported { at, instance, event }) = reported.recv().await {
                let at_ms = clock.at(at) as f64 / 1e6;
                observer.see(&Happening::Store { instance, event: &event, at_ms });
            }
        }))
    }
}

impl Drop for Hearsay {
    fn drop(&mut self) {
        self.0.abort();
    }
}
