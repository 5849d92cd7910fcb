//! Why an acknowledged write is gone: who acknowledged it, and what the store and the drill's faults did between then
//! and the moment it was missed. The notes provide the times; nothing is guessed.

use std::collections::BTreeMap;

use firedrill_storage::Event as Reported;

use super::Cause;
use crate::clock::Nanos;
use crate::history::{Header, History, Note, OpRecord, Outcome, SessionNo};

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
    /// Whether the store's policy says so.
    by_policy: bool,
}

/// Why one write is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    /// Who acknowledged it, and what destroyed it.
    pub text: String,
    /// When that happened; `None` if nothing tells.
    pub at: Option<Nanos>,
    /// Whether the store destroyed it because its policy says so.
    pub by_policy: bool,
}

/// How many of the writes that a cause destroyed are named.
const NAMED: usize = 10;

/// What a cause has destroyed so far.
#[derive(Debug)]
pub(super) struct Destroyed {
    reason: Reason,
    violations: u64,
    sessions: u64,
    /// The session of the latest write.
    latest: SessionNo,
    from: Nanos,
    until: Nanos,
    kinds: BTreeMap<&'static str, u64>,
    /// The first writes by time, each with its index.
    first: Vec<(Nanos, u64)>,
}

impl Destroyed {
    /// Nothing yet, for this reason.
    pub fn by(reason: Reason) -> Self {
        let (from, until) = (Nanos::MAX, Nanos::MIN);
        let (kinds, first) = (BTreeMap::new(), Vec::new());
        Self { reason, violations: 0, sessions: 0, latest: SessionNo::MAX, from, until, kinds, first }
    }

    /// Adds a write. The writes of a session come one after another.
    pub fn add(&mut self, write: &OpRecord) {
        self.violations += 1;
        self.sessions += u64::from(self.violations == 1 || self.latest != write.session);
        self.latest = write.session;
        (self.from, self.until) = (self.from.min(write.ended), self.until.max(write.ended));
        *self.kinds.entry(write.kind.name()).or_default() += 1;
        self.first.push((write.ended, write.index));
        if self.first.len() > 2 * NAMED {
            self.keep_first();
        }
    }

    /// Adds what the same cause destroyed of other sessions.
    pub fn merge(&mut self, other: Destroyed) {
        self.reason.at = [self.reason.at, other.reason.at].into_iter().flatten().min();
        self.violations += other.violations;
        self.sessions += other.sessions;
        (self.from, self.until) = (self.from.min(other.from), self.until.max(other.until));
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        self.first.extend(other.first);
        self.keep_first();
    }

    /// It as a cause of a finding.
    pub fn cause(mut self) -> Cause {
        self.keep_first();
        let Self { reason: Reason { text, at, by_policy }, violations, sessions, from, until, kinds, first, .. } = self;
        let (kinds, operations) = (kinds.into_iter().collect(), first.into_iter().map(|(_, index)| index).collect());
        Cause { text, at, by_policy, violations, sessions, from, until, kinds, operations }
    }

    fn keep_first(&mut self) {
        self.first.sort_unstable();
        self.first.truncate(NAMED);
    }
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
                    causes.faults.push(Event { at, until, instance: None, text, by_policy: false });
                }
                Note::Store { event: Reported::FallbackEnded { .. }, instance, .. } => {
                    let taken = Taken::by_policy("forgotten when the fallback ended");
                    causes.ended.push(Event::of(Some(*instance), at, &taken));
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
    pub fn of_loss(&self, write: &OpRecord, missed: Nanos) -> Reason {
        let since = |events: &'_ [Event]| -> Option<Reason> {
            let by = self.header.instance_of(write.process);
            let between = |event: &&Event| {
                // What a fallback held, no other store can have forgotten.
                let may_have = write.outcome != Outcome::Degraded || event.instance.is_none_or(|one| one == by);
                event.until >= write.started && event.at <= missed && may_have
            };
            let event = events.iter().find(between)?;
            Some(Reason { text: event.text.clone(), at: Some(event.at), by_policy: event.by_policy })
        };
        let by_store = since(&self.store);
        let (who, how) = match write.outcome {
            Outcome::Degraded => {
                let how = by_store.or_else(|| since(&self.ended)).or_else(|| since(&self.faults));
                ("made by the fallback", how)
            }
            _ => ("acknowledged by the store itself", since(&self.faults).or(by_store)),
        };
        match how {
            Some(how) => Reason { text: format!("{who}, {}", how.text), ..how },
            None => {
                let text = format!("{who}, and nothing tells what became of it");
                Reason { text, at: None, by_policy: false }
            }
        }
    }
}

impl Event {
    fn of(instance: Option<u32>, at: Nanos, taken: &Taken) -> Self {
        let text = format!("{} at {}", taken.what, seconds(at));
        Self { at, until: at, instance, text, by_policy: taken.by_policy }
    }
}

/// What became of what the store held.
struct Taken {
    what: String,
    by_policy: bool,
}

impl Taken {
    fn by_policy(what: &str) -> Self {
        Self { what: what.to_owned(), by_policy: true }
    }

    fn otherwise(what: impl Into<String>) -> Self {
        Self { what: what.into(), by_policy: false }
    }
}

/// What an event of the store destroys; `None` if nothing.
fn taken(note: &Note) -> Option<Taken> {
    let event = match note {
        Note::Store { event, .. } => event,
        Note::StoreRebuilt { .. } => return Some(Taken::otherwise("gone with the store's memory")),
        _ => return None,
    };
    Some(match event {
        Reported::Lost { sessions: 1.. } => Taken::by_policy("dropped"),
        Reported::Drained { lost: 1.., .. } => Taken::otherwise("replaced as the fallback was drained"),
        Reported::CarriedOver { lost: 1.., .. } => Taken::otherwise("replaced as sessions were carried over"),
        Reported::Dropped { writes: 1.., .. } => Taken::by_policy("dropped by the silent cache"),
        Reported::Evicted { lost: 1.., .. } => Taken::by_policy("evicted from the store's memory"),
        Reported::Switched { from, to } => Taken::otherwise(format!("gone with the change from {from} to {to}")),
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
        causes().of_loss(&write, missed).text
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
    fn the_first_writes_by_time_are_named_and_all_are_counted_whichever_thread_found_them() {
        let mut s = Script::new();
        s.append(1, 0).at(0..1).ok();
        let op = s.build().ops.ops[0];
        let reason = Reason { text: "dropped at 1.00 s".to_owned(), at: Some(S), by_policy: true };
        let writes: Vec<OpRecord> =
            (0..60).map(|n| OpRecord { index: n, session: (n / 3) as u32, ended: S - n as Nanos, ..op }).collect();
        let of = |writes: &[OpRecord]| {
            let mut destroyed = Destroyed::by(reason.clone());
            writes.iter().for_each(|write| destroyed.add(write));
            destroyed
        };
        let whole = of(&writes).cause();
        assert_eq!((whole.violations, whole.sessions, whole.from, whole.until), (60, 20, S - 59, S));
        assert_eq!(whole.kinds, [("append", 60)]);
        assert_eq!(whole.operations, [59, 58, 57, 56, 55, 54, 53, 52, 51, 50]);
        let mut parts = of(&writes[..30]);
        parts.merge(of(&writes[30..]));
        assert_eq!(parts.cause(), whole);
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
