//! What happens inside the store, as JSON lines with timestamps: `{"at_us": N, "event": ...}`, microseconds since
//! 1970-01-01 UTC, then the event's own fields.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use firedrill_storage::{Event, EventSink};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;

/// Number of most recent events kept.
const KEPT: usize = 10_000;

/// The events of this process.
pub struct Events {
    /// Tells this process from the previous one.
    pub process: u64,
    log: Mutex<Log>,
    added: Notify,
}

#[derive(Default)]
struct Log {
    lines: VecDeque<String>,
    /// The number of the first line still kept, from 0.
    first: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    at_us: u64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Events {
    /// An empty log.
    pub fn new() -> Self {
        Self { process: rand::random(), log: Mutex::default(), added: Notify::new() }
    }

    /// Receives the events of a store.
    pub fn sink(self: &Arc<Self>) -> EventSink {
        let events = Arc::clone(self);
        Arc::new(move |event| events.add(&event))
    }

    fn add(&self, event: &Event) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        // Events that must not leave the process have no JSON.
        let Ok(line) = serde_json::to_string(&Line { at_us, event }) else { return };
        let mut log = self.log.lock();
        if log.lines.len() == KEPT {
            log.lines.pop_front();
            log.first += 1;
        }
        log.lines.push_back(line);
        drop(log);
        self.added.notify_waiters();
    }

    /// The lines after `after`, and where to continue.
    fn lines(&self, after: Option<u64>) -> (String, u64) {
        let log = self.log.lock();
        let next = log.first + log.lines.len() as u64;
        let skipped = after.map_or(0, |after| after.saturating_sub(log.first));
        let lines = log.lines.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX));
        (lines.flat_map(|line| [line.as_str(), "\n"]).collect(), next)
    }

    /// The same, but waits for a line if there is none yet.
    pub async fn next_lines(&self, after: Option<u64>, wait: Duration) -> (String, u64) {
        let added = self.added.notified();
        tokio::pin!(added);
        added.as_mut().enable();
        let ready = self.lines(after);
        if !ready.0.is_empty() || wait.is_zero() {
            return ready;
        }
        let _ = tokio::time::timeout(wait, added).await;
        self.lines(after)
    }
}
