//! What an error of the Redis client means for its operation, which certainly had no effect or may have had one, and
//! whether the connection can still be trusted.

use std::io;

use redis::RedisError;

use super::words::refusal_in_words;
use crate::error::{StoreError, Undecryptable};
use crate::keyring::KeyId;
use crate::planted;

/// What an error says about the server or the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A healthy server sent it: nothing to do.
    Sound,
    /// The connection is broken, or leads to a server that cannot serve: replace it.
    Replace,
}

/// Why a call over one link failed, and what it means for a cluster.
pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) hint: Hint,
}

/// What a failed call says about which node leads the key's slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hint {
    /// Nothing.
    Nothing,
    /// Another node may lead it by now.
    Doubt,
    /// The node at this address leads it (as Redis writes it); the command was not executed.
    Moved(String),
    /// The slot is moving; this node has the key if any has. The command was not executed.
    Ask(String),
    /// Some of the keys have already moved; the command was not executed.
    Later,
}

/// What the error of a command says about its key's slot.
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
        // Anything but a reply of the server: cut, closed, or not the Redis protocol.
        return (StoreError::ConnectionLost, Verdict::Replace);
    };
    let line = format!("{code} {}", error.detail().unwrap_or_default());
    let refused = StoreError::Refused { code: code.to_owned(), answer: refusal_in_words(&line) };
    match code {
        "READONLY" if planted::seam!(keeps_readonly_connection) => (refused, Verdict::Sound),
        // A demoted master, a server that is loading its data, or one that newly requires a password: the next
        // connection only opens once the server is ready (see `connector`).
        "READONLY" | "LOADING" | "MASTERDOWN" | "NOAUTH" => (refused, Verdict::Replace),
        "CORRUPT" => (StoreError::Corrupt { reason: "it has no version in front".to_owned() }, Verdict::Sound),
        "TAKEN" => (StoreError::AlreadyExists, Verdict::Sound),
        "RENAMED" => (StoreError::Renamed, Verdict::Sound),
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

/// Whether a call certainly had no effect and may well succeed a moment later.
pub(super) fn is_passing(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable { .. } => true,
        StoreError::ConnectionLost => planted::seam!(resends_unknown),
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
        // A name that does not resolve has no error kind of its own.
        _ if error.raw_os_error().is_none() => "the host name cannot be resolved",
        _ => "the connection failed while it was being made",
    };
    text.to_owned()
}
