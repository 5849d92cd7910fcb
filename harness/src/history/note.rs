//! Events besides the operations.

use firedrill_storage::Event;

use crate::clock::Nanos;

/// An event besides the operations.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Note {
    /// A fault took hold.
    FaultOn {
        /// When it was observed.
        at: Nanos,
        /// Its position in the scenario, from 0.
        fault: u32,
        /// Its kind, as in the scenario.
        kind: String,
    },
    /// A fault was healed.
    FaultOff {
        /// When it was observed.
        at: Nanos,
        /// Its position in the scenario, from 0.
        fault: u32,
        /// Its kind, as in the scenario.
        kind: String,
    },
    /// A person started or ended a fault; the fault itself follows, or has.
    ByHand {
        /// When.
        at: Nanos,
        /// Its position in the scenario, from 0.
        fault: u32,
        /// Its kind, as in the scenario.
        kind: String,
        /// Whether it was started.
        on: bool,
    },
    /// Time jumped forward, for Redis and for the store.
    ClockJumped {
        /// Before this time, nothing had jumped.
        at: Nanos,
        /// By this time, everything that existed at `at` had jumped.
        until: Nanos,
        /// The size of the jump, in nanoseconds.
        by_ns: i64,
    },
    /// The store's own memory was dropped and the store rebuilt.
    StoreRebuilt {
        /// When.
        at: Nanos,
    },
    /// A direct scan of the drill's keys in Redis, after the load and before the final reads.
    KeyScan {
        /// When.
        at: Nanos,
        /// Number of keys.
        keys: u64,
        /// The first few keys that never expire, by name without the prefix.
        immortal: Vec<String>,
        /// Number of keys that never expire.
        immortal_count: u64,
    },
    /// An event reported by the store under test. In the file, its fields stand next to `at`, as in every note.
    #[serde(untagged)]
    Store {
        /// When, according to the store.
        at: Nanos,
        /// Which of several stores, from 0: the process of the operations that it carries.
        #[serde(default, skip_serializing_if = "is_first")]
        instance: u32,
        /// The event.
        #[serde(flatten)]
        event: Event,
    },
}

fn is_first(instance: &u32) -> bool {
    *instance == 0
}

impl Note {
    /// When it happened.
    pub fn at(&self) -> Nanos {
        match self {
            Note::FaultOn { at, .. }
            | Note::FaultOff { at, .. }
            | Note::ByHand { at, .. }
            | Note::ClockJumped { at, .. }
            | Note::StoreRebuilt { at }
            | Note::Store { at, .. }
            | Note::KeyScan { at, .. } => *at,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_storage::FallbackCause;

    use super::*;

    #[test]
    fn what_a_store_reported_is_written_as_any_note_and_read_back() {
        let note = Note::Store { at: 5, instance: 0, event: Event::FallbackStarted { cause: FallbackCause::Timeout } };
        let json = serde_json::to_value(&note).unwrap();
        assert_eq!(json, serde_json::json!({ "at": 5, "event": "fallback-started", "cause": "timeout" }));
        assert_eq!(serde_json::from_value::<Note>(json).unwrap(), note);
        let rebuilt = Note::StoreRebuilt { at: 7 };
        assert_eq!(serde_json::from_value::<Note>(serde_json::to_value(&rebuilt).unwrap()).unwrap(), rebuilt);
    }

    #[test]
    fn notes_of_earlier_versions_are_read() {
        let read = |json: &str| serde_json::from_str::<Note>(json).unwrap();
        let ended = read(r#"{"event":"fallback-ended","at":9,"served":4}"#);
        assert_eq!(
            ended,
            Note::Store { at: 9, instance: 0, event: Event::FallbackEnded { lasted: Duration::ZERO, served: 4 } }
        );
        let lost = read(r#"{"event":"sessions-lost","at":9,"sessions":2}"#);
        assert_eq!(lost, Note::Store { at: 9, instance: 0, event: Event::Lost { sessions: 2 } });
        let counted = read(r#"{"event":"fallback-started","at":9,"cause":"as counted by the application"}"#);
        assert_eq!(
            counted,
            Note::Store { at: 9, instance: 0, event: Event::FallbackStarted { cause: FallbackCause::Other } }
        );
        assert!(serde_json::from_str::<Note>(r#"{"event":"moonrise","at":9}"#).is_err());
    }
}
