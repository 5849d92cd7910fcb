//! What the server said when it refused, reported once for each code.

use parking_lot::Mutex;

use crate::event::{Event, EventSink};

/// The codes that were reported, and where.
pub(crate) struct Refusals {
    reported: Mutex<Vec<String>>,
    events: EventSink,
}

impl Refusals {
    pub(crate) fn new(events: EventSink) -> Self {
        Self { reported: Mutex::default(), events }
    }

    /// Reports a refusal with a code that has not been reported. `answer`: as
    /// [`refusal_in_words`](crate::refusal_in_words) shows it.
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
