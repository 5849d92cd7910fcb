//! Errors in the wording of Toxiproxy's API: `{"error": "proxy not found", "status": 404}`.

use std::io;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use nix::errno::Errno;
use serde::Serialize;

use crate::error::ProxyError;

/// An error for a client of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ApiError {
    pub error: String,
    pub status: u16,
}

impl ApiError {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { error: error.into(), status: status.as_u16() }
    }

    /// The request's body is invalid.
    pub fn bad_body(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("bad request body: {reason}"))
    }

    /// A new address that is none. Here, Toxiproxy's words are shorter than where it listens.
    pub fn unresolved(error: ProxyError) -> Self {
        match error {
            ProxyError::Address { reason, .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, reason),
            error => error.into(),
        }
    }

    /// The request lacks something.
    pub fn missing(field: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("missing required field: {field}"))
    }

    /// The stream is neither upstream nor downstream.
    pub fn bad_stream() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "stream was invalid, can be either upstream or downstream")
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<String> for ApiError {
    /// What is wrong with a body.
    fn from(reason: String) -> Self {
        Self::bad_body(reason)
    }
}

impl From<ProxyError> for ApiError {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::NoProxy(_) => Self::new(StatusCode::NOT_FOUND, "proxy not found"),
            ProxyError::NoToxic(_) => Self::new(StatusCode::NOT_FOUND, "toxic not found"),
            ProxyError::ProxyExists(_) => Self::new(StatusCode::CONFLICT, "proxy already exists"),
            ProxyError::ToxicExists(_) => Self::new(StatusCode::CONFLICT, "toxic already exists"),
            ProxyError::ToxicKind { .. } => Self::new(StatusCode::BAD_REQUEST, "invalid toxic type"),
            ProxyError::Attributes(reason) => Self::bad_body(reason),
            ProxyError::Descriptors { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            ProxyError::Address { reason, .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("listen tcp: {reason}"))
            }
            ProxyError::Listen { address, source } => {
                let reason = format!("listen tcp {address}: bind: {}", in_gos_words(&source));
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, reason)
            }
            ProxyError::Config { .. }
            | ProxyError::Start(_)
            | ProxyError::Stopped
            | ProxyError::CommandsUnread
            | ProxyError::EmbeddedOnly(_)
            | ProxyError::Hang { .. }
            | ProxyError::Remote { .. }
            | ProxyError::Unreachable { .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

/// A system's error as Go prints it: `address already in use`.
fn in_gos_words(error: &io::Error) -> String {
    let words = error.raw_os_error().map_or_else(|| error.to_string(), |code| Errno::from_raw(code).desc().to_owned());
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

impl IntoResponse for ApiError {
    /// As Go's `http.Error`, by which Toxiproxy answers: its JSON is called plain text.
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
        let text = serde_json::to_string(&self).unwrap_or_else(|_| self.error.clone());
        (self.status(), kind, text + "\n").into_response()
    }
}
