//! Why an acknowledged write is gone: who acknowledged it, and what the store and the drill's faults did between then
//! and the moment it was missed. The notes provide the times; nothing is guessed.

use firedrill_storage::Event as Reported;

use crate::clock::Nanos;
use crate::history::{Header, History, Note, OpRecord, Outcome};

/// What may have destroyed acknowledged writes, in order of time.
#[derive(Debug)]
pub(super) struct Causes {
    /// What the store reported.
    store: Vec<Event>,
    /// The ends of fallbacks: whatever a fallback held and did not write back is gone without a further event.
    ended: Vec<Event>,
    /// What the drill did.
    faults: Vec<Event>,
    header: Header,
}

/// Something that happened at a moment, or has held since then.
#[derive(Debug)]
struct Event {
    at: Nanos,
    until: Nanos,
    /// The store that did it; `None` if no store did.
    instance: Option<u32>,
    /// The description including the time: "dropped at 10.31 s".
    text: String,
}

impl Causes {
    /// The causes in the notes of `history`.
    pub fn of(history: &History) -> Self {
        let header = history.header.clone();
        let mut causes = Self { store: Vec::new(), ended: Vec::new(), faults: Vec::new(), header };
        for note in &history.notes {
            let at = note.at();
            match note {
                Note::FaultOn { fault, kind, .. } => {
                    let off = history.notes.iter().find(|note| {
                        matches!(note, Note::FaultOff { fault: same, at: off, .. } if same == fault && *off >= at)
                    });
                    let until = off.map_or(Nanos::MAX, Note::at);
                    let text = format!("{kind} at {}", seconds(at));
                    causes.faults.push(Event { at, until, instance: None, text });
                }
                Note::Store { event: Reported::FallbackEnded { .. }, instance, .. } => {
                    causes.ended.push(Event::of(Some(*instance), at, "forgotten when the fallback ended"))
                }
                note => {
                    let instance = if let Note::Store { instance, .. } = note { Some(*instance) } else { None };
                    causes.store.extend(taken(note).map(|what| Event::of(instance, at, &what)));
                }
            }
        }
        causes
    }

    /// Why `write`, which was acknowledged, was missing at `missed`.
    pub fn of_loss(&self, write: &OpRecord, missed: Nanos) -> String {
        let since = |events: &'_ [Event]| -> Option<String> {
            let by = self.header.instance_of(write.process);
            let between = |event: &&Event| {
                // What a fallback held, no other store can have forgotten.
                let may_have = write.outcome != Outcome::Degraded || event.instance.is_none_or(|one| one == by);
                event.until >= write.started && event.at <= missed && may_have
            };
            events.iter().find(between).map(|event| event.text.clone())
        };
        let by_store = since(&self.store);
        match write.outcome {
            Outcome::Degraded => {
                let how = by_store.or_else(|| since(&self.ended)).or_else(|| since(&self.faults));
                format!(
                    "made by the fallback, {}",
                    how.unwrap_or_else(|| "and nothing tells what became of it".to_owned())
                )
            }
            _ => match since(&self.faults).or(by_store) {
                Some(how) => format!("acknowledged by the store itself, {how}"),
                None => "acknowledged by the store itself, and nothing tells what became of it".to_owned(),
            },
        }
    }
}

impl Event {
    fn of(instance: Option<u32>, at: Nanos, what: &str) -> Self {
        Self { at, until: at, instance, text: format!("{what} at {}", seconds(at)) }
    }
}

/// What an event of the store destroys; `None` if nothing.
fn taken(note: &Note) -> Option<String> {
    let event = match note {
        Note::Store { event, .. } => event,
        Note::StoreRebuilt { .. } => return Some("gone with the store's memory".to_owned()),
        _ => return None,
    };
    Some(match event {
        Reported::Lost { sessions: 1.. } => "dropped".to_owned(),
        Reported::Drained { lost: 1.., .. } => "replaced as the fallback was drained".to_owned(),
        Reported::CarriedOver { lost: 1.., .. } => "replaced as sessions were carried over".to_owned(),
        Reported::Dropped { writes: 1.., .. } => "dropped by the silent cache".to_owned(),
        Reported::Evicted { lost: 1.., .. } => "evicted from the store's memory".to_owned(),
        Reported::Switched { from, to } => format!("gone with the change from {from} to {to}"),
        _ => return None,
    })
}

/// Rounded to a hundredth of a second, so that nearby events are grouped.
fn seconds(at: Nanos) -> String {
    format!("{:.2} s", at as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::Script;

    const S: Nanos = 1_000_000_000;

    /// An outage from 6 s to 11 s; the fallback's sessions were dropped at 10.31 s; the store was rebuilt at 15 s.
    fn causes() -> Causes {
        let mut s = Script::new();
        let (fault, kind) = (0, "proxy.down".to_owned());
        s.note(Note::FaultOn { at: 6 * S, fault, kind: kind.clone() });
        s.note(Note::Store { at: 10_310_000_000, instance: 0, event: Reported::Lost { sessions: 7 } });
        let ended = Reported::FallbackEnded { lasted: std::time::Duration::ZERO, served: 9 };
        s.note(Note::Store { at: 10_320_000_000, instance: 0, event: ended });
        s.note(Note::FaultOff { at: 11 * S, fault, kind });
        s.note(Note::StoreRebuilt { at: 15 * S });
        Causes::of(&s.build())
    }

    fn lost(outcome: Outcome, acknowledged: Nanos, missed: Nanos) -> String {
        let mut s = Script::new();
        s.append(1, 0).at(0..1).ok();
        let op = s.build().ops.ops[0];
        let write = OpRecord { outcome, started: acknowledged - 1, ended: acknowledged, ..op };
        causes().of_loss(&write, missed)
    }

    #[test]
    fn what_the_fallback_made_is_lost_with_the_first_event_after_it() {
        assert_eq!(lost(Outcome::Degraded, 8 * S, 20 * S), "made by the fallback, dropped at 10.31 s");
        assert_eq!(
            lost(Outcome::Degraded, 12 * S, 20 * S),
            "made by the fallback, gone with the store's memory at 15.00 s"
        );
        let without = lost(Outcome::Degraded, 16 * S, 20 * S);
        assert_eq!(without, "made by the fallback, and nothing tells what became of it");
    }

    #[test]
    fn what_redis_acknowledged_is_lost_with_the_fault_that_was_on_or_came_next() {
        assert_eq!(lost(Outcome::Ok, 3 * S, 20 * S), "acknowledged by the store itself, proxy.down at 6.00 s");
        assert_eq!(lost(Outcome::Ok, 10 * S, 20 * S), "acknowledged by the store itself, proxy.down at 6.00 s");
        assert_eq!(
            lost(Outcome::Ok, 12 * S, 20 * S),
            "acknowledged by the store itself, gone with the store's memory at 15.00 s"
        );
        assert_eq!(
            lost(Outcome::Ok, 3 * S, 4 * S),
            "acknowledged by the store itself, and nothing tells what became of it"
        );
    }
}
