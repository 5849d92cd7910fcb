//! Errors of a store. The first thing a caller needs to know is whether the operation may have had an effect:
//! [`StoreError::effect`] says so.

use std::time::Duration;

use crate::keyring::KeyId;
use crate::store::Version;

/// Whether a failed operation may have changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It certainly had no effect and may be repeated.
    None,
    /// It may have had an effect: it was sent, but no answer arrived (a timeout, a cut connection).
    Unknown,
}

/// Why an operation failed. No variant's text contains a URL, a password or session data.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A session with this id already exists (create); the new id has or lately had a session (rename).
    #[error("a session with this id already exists")]
    AlreadyExists,
    /// The session of this id was given another one, so the id cannot be used again (create, put).
    #[error("the session has another id now, and this one cannot be used again")]
    Renamed,
    /// Both ids of a rename must be in one slot of the cluster, and they are not. Nothing was sent.
    #[error(
        "the new id is in another slot of the cluster than the old one, and a session can only move within its slot: \
         take the new id from `SessionStore::successor`"
    )]
    OtherSlot,
    /// There is no such session: never created, destroyed or expired (append, update, touch).
    #[error("no such session")]
    NotFound,
    /// The session is at another version than the update expected.
    #[error("version conflict: the session is at version {current}")]
    Conflict {
        /// The stored version.
        current: Version,
    },
    /// Redis cannot be reached, and nothing else can answer truthfully; the operation was not carried out.
    #[error("storage unavailable: {reason}")]
    Unavailable {
        /// The reason: "connection refused", "no connection within 2s", "the fallback is full".
        reason: String,
    },
    /// Redis cannot be reached, and the retry profile has stopped trying until the process restarts.
    #[error("storage unavailable: gave up after {attempts} attempts to connect")]
    GaveUp {
        /// Failed attempts in a row.
        attempts: u32,
    },
    /// Sent, but not answered within the deadline: it may have been carried out.
    #[error("no answer within {deadline:?}; it may have been carried out")]
    Timeout {
        /// The deadline that ran out.
        deadline: Duration,
    },
    /// The connection was lost after sending: it may have been carried out.
    #[error("connection lost before the answer; it may have been carried out")]
    ConnectionLost,
    /// Of several sessions to end, some were ended and one could not be.
    #[error("{done} sessions were ended, another one could not be: {error}")]
    Partly {
        /// How many were ended.
        done: u64,
        /// Why another one was not.
        error: Box<StoreError>,
    },
    /// The server refused: READONLY, OOM, MISCONF, NOAUTH, LOADING … Certainly not carried out.
    #[error("refused by the server: {code}")]
    Refused {
        /// Redis's error code, the first word of its answer.
        code: String,
        /// Its answer, as [`refusal_in_words`](crate::refusal_in_words) shows it.
        answer: String,
    },
    /// The data cannot be written as JSON (a map with keys that are not text). Nothing was sent.
    #[error("the session data cannot be written as JSON")]
    Unserializable,
    /// The stored value cannot be decrypted, so nobody knows whether it is a session, or which. It can still be
    /// destroyed. This is not "no such session", so it logs no user out.
    #[error("the stored session cannot be decrypted: {reason}")]
    Undecryptable {
        /// Why it cannot be decrypted.
        reason: Undecryptable,
    },
    /// The stored value does not parse as a session. It can still be destroyed.
    #[error("the stored value is not a session: {reason}")]
    Corrupt {
        /// The parser's message, without the value.
        reason: String,
    },
}

/// Why a stored value cannot be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecryptable {
    /// It is plain text, and only encrypted sessions are accepted.
    #[error("it is not encrypted, and only encrypted sessions are accepted")]
    NotEncrypted,
    /// It is encrypted, and the store has no keys.
    #[error("it is encrypted, and the store has no keys")]
    NoKeys,
    /// It was encrypted with a key that the store does not have.
    #[error("it was encrypted with key {key}, which is not in the key ring")]
    UnknownKey {
        /// The key's id, as listed by [`KeyRing::ids`](crate::KeyRing::ids).
        key: KeyId,
    },
    /// It was altered, or copied here from another session.
    #[error("it was altered, or belongs to another session")]
    Altered,
    /// It is truncated, or never was an encrypted session.
    #[error("it is truncated, or not an encrypted session")]
    Malformed,
}

impl StoreError {
    /// Whether the operation may still have taken effect.
    pub fn effect(&self) -> Effect {
        match self {
            StoreError::Timeout { .. } | StoreError::ConnectionLost | StoreError::Partly { .. } => Effect::Unknown,
            _ => Effect::None,
        }
    }
}
