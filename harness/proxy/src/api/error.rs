//! Errors in the wording of Toxiproxy's API: `{"error": "proxy not found", "status": 404}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
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

    /// The request lacks a required field.
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
            ProxyError::Address { .. }
            | ProxyError::Listen { .. }
            | ProxyError::Config { .. }
            | ProxyError::Start(_)
            | ProxyError::Stopped
            | ProxyError::CommandsUnread
            | ProxyError::Remote { .. }
            | ProxyError::Unreachable { .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status(), Json(self)).into_response()
    }
}
