//! What the server said when it refused, reported once per code.

use parking_lot::Mutex;

use crate::event::{Event, EventSink};

/// The codes reported so far, and where to report.
pub(crate) struct Refusals {
    reported: Mutex<Vec<String>>,
    events: EventSink,
}

impl Refusals {
    pub(crate) fn new(events: EventSink) -> Self {
        Self { reported: Mutex::default(), events }
    }

    /// Reports a refusal if its code is new. `answer`: see [`refusal_in_words`](crate::refusal_in_words).
    pub(crate) fn report(&self, code: &str, answer: impl FnOnce() -> String) {
        {
            let mut reported = self.reported.lock();
            if reported.iter().any(|known| known == code) {
                return;
            }
            reported.push(code.to_owned());
        }
        (self.events)(Event::Refused { code: code.to_owned(), answer: answer() });
    }
}
