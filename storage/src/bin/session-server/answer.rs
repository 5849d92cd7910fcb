//! Responses: an answer that names its source, or an error that programs can distinguish.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use firedrill_storage::{Effect, ServedBy, StoreError};
use serde_json::json;

/// An error as JSON: `{"error": {"code", "message"}}`. Store errors add `effect`: `none` if the request certainly had
/// none, `unknown` if it may have had one. `refusal` is what Redis said when it refused.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    effect: Option<Effect>,
    refusal: Option<String>,
    retry_after: Option<Duration>,
}

impl Failure {
    /// An error that does not come from the store.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), effect: None, refusal: None, retry_after: None }
    }

    /// A store error as an HTTP response. If a retry may help, it says when.
    pub fn of_store(error: &StoreError, retry_after: Duration) -> Self {
        let (status, code) = match error {
            StoreError::NotFound => (StatusCode::NOT_FOUND, "session_not_found"),
            StoreError::AlreadyExists => (StatusCode::CONFLICT, "session_exists"),
            StoreError::Conflict { .. } => (StatusCode::CONFLICT, "version_conflict"),
            StoreError::Unavailable { .. } | StoreError::GaveUp { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
            }
            StoreError::Timeout { .. } => (StatusCode::SERVICE_UNAVAILABLE, "store_timeout"),
            StoreError::ConnectionLost => (StatusCode::SERVICE_UNAVAILABLE, "store_connection_lost"),
            StoreError::Refused { .. } => (StatusCode::SERVICE_UNAVAILABLE, "store_refused"),
            // Permanent for this session, which can still be ended.
            StoreError::Corrupt { .. } | StoreError::Undecryptable { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "session_unreadable")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "store_error"),
        };
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(retry_after);
        let refusal = match error {
            StoreError::Refused { answer, .. } => Some(answer.clone()),
            _ => None,
        };
        Self { status, code, message: error.to_string(), effect: Some(error.effect()), refusal, retry_after }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(effect) = self.effect {
            error["effect"] = json!(if effect == Effect::None { "none" } else { "unknown" });
        }
        if let Some(refusal) = self.refusal {
            error["refusal"] = json!(refusal);
        }
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

/// The headers of every answer about a session: who served it, and that it must not be cached.
pub fn served_by(who: ServedBy) -> [(&'static str, &'static str); 2] {
    let who = match who {
        ServedBy::Primary => "primary",
        ServedBy::Fallback => "fallback",
    };
    [("x-served-by", who), ("cache-control", "no-store")]
}
