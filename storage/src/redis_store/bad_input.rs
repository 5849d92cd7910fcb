//! What the store makes of anything at all in place of a stored session.

use super::envelope;
use super::sealed::{self, Place};
use crate::data::SessionData;
use crate::keyring::{Key, KeyRing};
use crate::record::conversation::Conversation;
use crate::record::trivia::TriviaSession;
use crate::store::SessionId;

const WORDS: [&str; 16] = [
    "{\"version\":",
    "\"line\":\"0000000a0000000b\",",
    "\"base\":",
    "\"user\":\"",
    "\"sealed\":",
    "\"data\":",
    "\"answers\":[",
    "\"messages\":[{\"id\":\"m\"}]",
    "\"metadata\":{\"",
    "\"sentAt\":\"2026-01-02T03:04:05.678Z\"",
    "-000001-01-01T00:00:00.000Z",
    "+275760-09-13T00:00:00.001Z",
    "null",
    "[[[[[[[[[[[[[[[[",
    "                ",
    "\\ud800",
];

/// A session that is read is written such that it is read back the same.
fn reads_back<D: SessionData + PartialEq + std::fmt::Debug>(value: &[u8]) {
    let Ok(stored) = envelope::decode::<D>(value) else { return };
    let mut again = envelope::whole(&stored.user, &stored.session.data, stored.lineage, value.len()).unwrap();
    // As the scripts do.
    let version = format!("{:<16}", stored.session.version);
    again.splice(11..27, version.bytes());
    let read = envelope::decode::<D>(&again).unwrap_or_else(|error| panic!("{error}: {}", again.escape_ascii()));
    assert_eq!(read.session.data, stored.session.data);
    assert_eq!((read.session.version, read.lineage, read.user), (stored.session.version, stored.lineage, stored.user));
}

#[test]
fn a_stored_session_is_refused_or_reads_back_the_same() {
    let ring = || KeyRing::new(Key::from_hex(&"1".repeat(64)).unwrap(), Vec::new());
    let (strict, lenient) = (ring().now(), ring().accept_plaintext(true).now());
    let id = SessionId::new("a").unwrap();
    firedrill_fuzz::fuzz("session", &WORDS, |value| {
        reads_back::<TriviaSession>(value);
        reads_back::<Conversation>(value);
        for keys in [&strict, &lenient] {
            // What it reads, it had sealed; what it refuses, it says.
            let place = Place { prefix: "session:", id: &id };
            if let Err(error) = sealed::decode::<TriviaSession>(keys, place, value.to_vec()) {
                assert!(!error.to_string().is_empty());
            }
        }
    });
}
