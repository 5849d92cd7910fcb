//! What an error of the Redis client means for the operation that met it: certainly without effect, or perhaps with
//! one; and whether the connection it came over is still to be trusted.

use redis::RedisError;

use crate::error::StoreError;

/// What an error tells about the server or the connection, beside the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The answer came from a server that is well: nothing to be done.
    Sound,
    /// The connection is broken, or leads to a server that cannot serve: it must be replaced.
    Replace,
}

/// Judges the error of a command that was handed to the connection.
pub(super) fn judge(error: &RedisError) -> (StoreError, Verdict) {
    let Some(code) = error.code() else {
        // Everything that is not an answer of the server: cut, closed, or not the protocol.
        return (StoreError::ConnectionLost, Verdict::Replace);
    };
    let refused = StoreError::Refused { code: code.to_owned() };
    match code {
        // A demoted master, a server that is reading its data, one that asks for a password it did not ask for before:
        // a new connection is opened only to a server that is ready (see `connector`).
        "READONLY" | "LOADING" | "MASTERDOWN" | "NOAUTH" => (refused, Verdict::Replace),
        "CORRUPT" => (StoreError::Corrupt { reason: "it has no version in front".to_owned() }, Verdict::Sound),
        "WRONGTYPE" => (StoreError::Corrupt { reason: "the key holds another type".to_owned() }, Verdict::Sound),
        _ => (refused, Verdict::Sound),
    }
}

/// Whether a call had certainly no effect and may well succeed a moment later.
pub(super) fn is_passing(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable { .. } => true,
        StoreError::Refused { code } => {
            matches!(code.as_str(), "READONLY" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "NOREPLICAS")
        }
        _ => false,
    }
}

/// Why a connection could not be made, without addresses or credentials.
pub(super) fn connect_reason(error: &RedisError) -> String {
    if error.is_connection_refusal() {
        return "connection refused".to_owned();
    }
    match error.code() {
        Some("WRONGPASS" | "NOAUTH" | "NOPERM") => "authentication failed: check user and password".to_owned(),
        Some("LOADING") => "the server is loading its data".to_owned(),
        Some(code) => format!("refused by the server: {code}"),
        None if error.kind() == redis::ErrorKind::AuthenticationFailed => {
            "authentication failed: check user and password".to_owned()
        }
        None => "the connection failed while it was being made".to_owned(),
    }
}
