//! What an error of the Redis client means for the operation that met it: certainly without effect, or perhaps with
//! one; and whether the connection it came over is still to be trusted.

use std::io;

use redis::RedisError;

use super::words::refusal_in_words;
use crate::error::{StoreError, Undecryptable};
use crate::keyring::KeyId;

/// What an error tells about the server or the connection, beside the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The answer came from a server that is well: nothing to be done.
    Sound,
    /// The connection is broken, or leads to a server that cannot serve: it must be replaced.
    Replace,
}

/// Why a call over one link failed, and what a cluster makes of it.
pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) hint: Hint,
}

/// What a failed call says about who leads the key's slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hint {
    /// Nothing.
    Nothing,
    /// It may be another by now.
    Doubt,
    /// It is the node at this address (as Redis writes it); the command was not carried out.
    Moved(String),
    /// No node until the move is done, but this node has the key if any has; the command was not executed.
    Ask(String),
    /// Some of the keys have moved already; the command was not carried out.
    Later,
}

/// What the error of a command that was handed to the connection says about its key's slot.
pub(super) fn hint(error: &RedisError) -> Hint {
    match (error.code(), error.redirect_node()) {
        (Some("MOVED"), Some((to, _))) => Hint::Moved(to.to_owned()),
        (Some("ASK"), Some((to, _))) => Hint::Ask(to.to_owned()),
        (Some("TRYAGAIN"), _) => Hint::Later,
        (Some("CLUSTERDOWN"), _) => Hint::Doubt,
        _ if judge(error).1 == Verdict::Replace => Hint::Doubt,
        _ => Hint::Nothing,
    }
}

/// Judges the error of a command that was handed to the connection.
pub(super) fn judge(error: &RedisError) -> (StoreError, Verdict) {
    let Some(code) = error.code() else {
        // Everything that is not an answer of the server: cut, closed, or not the protocol.
        return (StoreError::ConnectionLost, Verdict::Replace);
    };
    let line = format!("{code} {}", error.detail().unwrap_or_default());
    let refused = StoreError::Refused { code: code.to_owned(), answer: refusal_in_words(&line) };
    match code {
        // A demoted master, a server that is reading its data, one that asks for a password it did not ask for before:
        // a new connection is opened only to a server that is ready (see `connector`).
        "READONLY" | "LOADING" | "MASTERDOWN" | "NOAUTH" => (refused, Verdict::Replace),
        "CORRUPT" => (StoreError::Corrupt { reason: "it has no version in front".to_owned() }, Verdict::Sound),
        "UNSEALED" => (undecryptable(Undecryptable::NotEncrypted), Verdict::Sound),
        "MALFORMED" => (undecryptable(Undecryptable::Malformed), Verdict::Sound),
        "UNKNOWNKEY" => {
            let key = error.detail().and_then(KeyId::parse);
            let reason = key.map_or(Undecryptable::Malformed, |key| Undecryptable::UnknownKey { key });
            (undecryptable(reason), Verdict::Sound)
        }
        "WRONGTYPE" => (StoreError::Corrupt { reason: "the key holds another type".to_owned() }, Verdict::Sound),
        _ => (refused, Verdict::Sound),
    }
}

/// Whether a call had certainly no effect and may well succeed a moment later.
pub(super) fn is_passing(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable { .. } => true,
        StoreError::Refused { code, .. } => {
            matches!(code.as_str(), "READONLY" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "NOREPLICAS")
        }
        _ => false,
    }
}

fn undecryptable(reason: Undecryptable) -> StoreError {
    StoreError::Undecryptable { reason }
}

/// Why an open connection could not be used, without addresses or credentials.
pub(super) fn connect_reason(error: &RedisError) -> String {
    let text = match error.code() {
        Some("WRONGPASS") => "authentication failed: check user and password",
        Some("NOAUTH") => "authentication failed: the server asks for a password",
        Some("NOPERM") => "not permitted: the ACL user lacks a command that the store needs",
        Some("LOADING") => "the server is loading its data",
        Some(code) => return format!("refused by the server: {code}"),
        None if error.kind() == redis::ErrorKind::AuthenticationFailed => {
            "authentication failed: check user and password"
        }
        None => "the connection failed while it was being made",
    };
    text.to_owned()
}

/// Why a server could not be reached at all.
pub(super) fn unreachable_reason(error: &io::Error) -> String {
    let text = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "the host cannot be reached",
        // A name that does not resolve has no kind of its own.
        _ if error.raw_os_error().is_none() => "the host name cannot be resolved",
        _ => "the connection failed while it was being made",
    };
    text.to_owned()
}
