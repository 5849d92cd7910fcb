//! What happens inside an application, told by what it counts: its `/metrics` are read again and again, and what has
//! risen in between becomes a note of the history. A moment is known as exactly as the readings are apart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::collector::Notes;
use crate::history::Note;
use crate::target::app;

/// Between two readings.
const PERIOD: Duration = Duration::from_millis(100);

/// How long a reading may take.
const DEADLINE: Duration = Duration::from_secs(1);

/// Listens to one application until it is dropped.
pub struct Told {
    ear: Arc<Ear>,
    task: JoinHandle<()>,
}

struct Ear {
    address: SocketAddr,
    notes: Notes,
    heard: Mutex<Heard>,
}

/// What was read last.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    counters: Counters,
    /// Operations that the fallback had answered when the activation under way began.
    began: u64,
}

impl Told {
    /// Begins to listen, on `runtime`, to the application at `address`.
    pub fn listen(address: SocketAddr, notes: Notes, runtime: &Handle) -> Self {
        let ear = Arc::new(Ear { address, notes, heard: Mutex::default() });
        let listening = Arc::clone(&ear);
        let task = runtime.spawn(async move {
            loop {
                listening.ask().await;
                tokio::time::sleep(PERIOD).await;
            }
        });
        Self { ear, task }
    }

    /// Reads once more now: before the counters go with their process.
    pub async fn ask(&self) {
        self.ear.ask().await;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ear {
    async fn ask(&self) {
        // A process that is dead or stands still has nothing to tell.
        let Some((status, body)) = app::ask(self.address, "/metrics", DEADLINE).await else { return };
        if !status.is_success() {
            return;
        }
        let now = Counters::read(&String::from_utf8_lossy(&body));
        self.heard.lock().hear(now).into_iter().for_each(|event| self.note(event));
    }

    fn note(&self, event: Event) {
        self.notes.add(move |at| match event {
            Event::Started => Note::FallbackStarted { at, cause: "as counted by the application".to_owned() },
            Event::Ended { served } => Note::FallbackEnded { at, served },
            Event::Drained { written, deleted, merged, lost } => Note::Drained { at, written, deleted, merged, lost },
            Event::Lost { sessions } => Note::SessionsLost { at, sessions },
            // How many sessions of Redis's went with them is not counted.
            Event::Dropped { writes } => Note::WritesDropped { at, writes, invalidated: 0 },
            Event::Evicted { copies, lost } => Note::Evicted { at, copies, lost },
        });
    }
}

/// One thing that the counters tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Started,
    Ended {
        served: u64,
    },
    Drained {
        written: u64,
        deleted: u64,
        merged: u64,
        lost: u64,
    },
    Lost {
        sessions: u64,
    },
    Dropped {
        writes: u64,
    },
    /// All that were, so far.
    Evicted {
        copies: u64,
        lost: u64,
    },
}

/// The counters of the store's fallback, as far as they become notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counters {
    activations: u64,
    active: bool,
    served: u64,
    written: u64,
    deleted: u64,
    merged: u64,
    lost_items: u64,
    lost_sessions: u64,
    dropped: u64,
    evicted: u64,
    evicted_sessions: u64,
}

impl Counters {
    /// Reads them from Prometheus's text format. What is not there has not happened yet.
    fn read(text: &str) -> Self {
        let value = |name: &str| value(text, &format!("firedrill_store_{name}"));
        Self {
            activations: value("fallback_activations_total"),
            active: value("fallback_active") > 0,
            served: value("fallback_served_total"),
            written: value("fallback_drained_total"),
            deleted: value("fallback_deleted_total"),
            merged: value("fallback_merged_total"),
            lost_items: value("fallback_lost_items_total"),
            lost_sessions: value("fallback_lost_sessions_total"),
            dropped: value("fallback_dropped_total"),
            evicted: value("fallback_evicted_total"),
            evicted_sessions: value("fallback_evicted_sessions_total"),
        }
    }
}

impl Heard {
    /// What has happened until `now`. Counters that have fallen belong to a new process: all of theirs is new.
    fn hear(&mut self, now: Counters) -> Vec<Event> {
        if now.activations < self.counters.activations || now.served < self.counters.served {
            *self = Self::default();
        }
        let before = std::mem::replace(&mut self.counters, now);
        let mut events = Vec::new();
        if now.activations > before.activations {
            self.began = before.served;
            events.extend((before.activations..now.activations).map(|_| Event::Started));
        }
        let since = |of: fn(&Counters) -> u64| of(&now).saturating_sub(of(&before));
        let drained = Event::Drained {
            written: since(|counters| counters.written),
            deleted: since(|counters| counters.deleted),
            merged: since(|counters| counters.merged),
            lost: since(|counters| counters.lost_items),
        };
        if drained != NOTHING_DRAINED {
            events.push(drained);
        }
        let sessions = since(|counters| counters.lost_sessions);
        if sessions > 0 {
            events.push(Event::Lost { sessions });
        }
        let writes = since(|counters| counters.dropped);
        if writes > 0 {
            events.push(Event::Dropped { writes });
        }
        let (copies, lost) = (now.evicted, now.evicted_sessions);
        // A full memory throws out copies all the time; only what existed nowhere else is worth a note.
        if lost > before.evicted_sessions {
            events.push(Event::Evicted { copies, lost });
        }
        if !now.active && (before.active || now.activations > before.activations) {
            events.push(Event::Ended { served: now.served - self.began });
        }
        events
    }
}

const NOTHING_DRAINED: Event = Event::Drained { written: 0, deleted: 0, merged: 0, lost: 0 };

/// The sum of the samples called `name`, whatever their labels.
fn value(text: &str, name: &str) -> u64 {
    let sample = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let number = match rest.strip_prefix('{') {
            Some(labelled) => labelled.split_once('}')?.1,
            None if rest.starts_with(' ') => rest,
            None => return None,
        };
        number.split_whitespace().next()?.parse::<f64>().ok()
    };
    text.lines().filter_map(sample).sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_added_up_over_their_labels_and_other_names_are_passed_over() {
        let text =
            "# HELP x_total what\nx_total{op=\"get\"} 3\nx_total{op=\"put\"} 4 1700000000\nx_total_more 9\ny 2\n";
        assert_eq!((value(text, "x_total"), value(text, "y"), value(text, "z")), (7, 2, 0));
    }

    #[test]
    fn an_activation_is_told_from_its_start_to_its_end_with_all_that_it_served() {
        let mut heard = Heard::default();
        let quiet = Counters { served: 10, activations: 1, ..Counters::default() };
        heard.hear(quiet);
        let on = Counters { activations: 2, active: true, served: 14, ..quiet };
        assert_eq!(heard.hear(on), [Event::Started]);
        assert_eq!(heard.hear(Counters { served: 40, ..on }), []);
        let over = Counters { active: false, served: 44, written: 5, lost_items: 1, lost_sessions: 2, ..on };
        let drained = Event::Drained { written: 5, deleted: 0, merged: 0, lost: 1 };
        assert_eq!(heard.hear(over), [drained, Event::Lost { sessions: 2 }, Event::Ended { served: 34 }]);
        assert_eq!(heard.hear(over), []);
    }

    #[test]
    fn what_was_dropped_is_told_as_it_comes_and_what_was_thrown_out_as_a_sum() {
        let mut heard = Heard::default();
        let full = Counters { dropped: 3, evicted: 8, evicted_sessions: 2, ..Counters::default() };
        assert_eq!(heard.hear(full), [Event::Dropped { writes: 3 }, Event::Evicted { copies: 8, lost: 2 }]);
        assert_eq!(heard.hear(Counters { evicted: 9, ..full }), []);
        let fuller = Counters { dropped: 4, evicted: 9, evicted_sessions: 3, ..full };
        assert_eq!(heard.hear(fuller), [Event::Dropped { writes: 1 }, Event::Evicted { copies: 9, lost: 3 }]);
    }

    #[test]
    fn one_that_came_and_went_between_two_readings_is_told_too_and_so_is_that_of_a_new_process() {
        let mut heard = Heard::default();
        let once = Counters { activations: 1, served: 3, ..Counters::default() };
        assert_eq!(heard.hear(once), [Event::Started, Event::Ended { served: 3 }]);
        heard.hear(Counters { served: 9, ..once });
        let anew = Counters { activations: 1, served: 2, active: true, ..Counters::default() };
        assert_eq!(heard.hear(anew), [Event::Started]);
    }
}
