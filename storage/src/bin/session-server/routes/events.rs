//! `GET /events`: what happens inside the store, for callers that watch this process. Off unless SESSION_EVENTS=true.
//!
//! The header `x-next` says where to continue: `GET /events?after=NEXT`. With `&wait_ms=N`, a request that finds no
//! lines waits at most 1 s for the next event. A `NEXT` from another process, such as before a restart, starts over.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::answer::Failure;
use crate::app::App;

/// The longest wait for the next event.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Where to continue.
const NEXT: HeaderName = HeaderName::from_static("x-next");

/// `GET /events`
pub async fn events(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let Some(events) = &app.events else {
        let message = "there are no events to be read: SESSION_EVENTS=true switches them on";
        return Failure::new(StatusCode::NOT_FOUND, "no_events", message).into_response();
    };
    let query = query.unwrap_or_default();
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let of_this_process = |next: &str| {
        let (process, line) = next.split_once('-')?;
        (process.parse() == Ok(events.process)).then(|| line.parse().ok())?
    };
    let after = value("after").and_then(of_this_process);
    let wait = value("wait_ms").and_then(|wait| wait.parse().ok()).map_or(Duration::ZERO, Duration::from_millis);
    let (lines, next) = events.next_lines(after, wait.min(LONGEST_WAIT)).await;
    let next = format!("{}-{next}", events.process);
    ([(header::CONTENT_TYPE, "application/x-ndjson".to_owned()), (NEXT, next)], lines).into_response()
}
