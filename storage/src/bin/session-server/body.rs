//! A request's JSON, bounded in size and time.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::answer::Failure;

/// How long a client may take to send a body: a few kilobytes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request's JSON; no body counts as an empty object. A body must declare `application/json`, which a form on another
/// site's page cannot.
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let is_json = is_json(request.headers());
        let body = tokio::time::timeout(PATIENCE, Bytes::from_request(request, state)).await.map_err(|_| {
            Failure::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the request's body did not arrive in time")
        })?;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the request's body is too large")
            }
            _ => Failure::new(StatusCode::BAD_REQUEST, "bad_body", "the request's body could not be read"),
        })?;
        if !body.is_empty() && !is_json {
            let message = "expected a body with Content-Type: application/json";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
        }
        let json: &[u8] = if body.is_empty() { b"{}" } else { &body };
        serde_json::from_slice(json)
            .map(Self)
            .map_err(|error| Failure::new(StatusCode::BAD_REQUEST, "bad_request", format!("the body: {error}")))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
