//! The game's routes (T15). The right choice leaves the server only after an answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use firedrill_storage::award::{Claim, ClaimToken};
use firedrill_storage::game::GameError;
use firedrill_storage::record::trivia::DEFAULT_BYTES;
use firedrill_storage::{Answer, SessionId, Timestamp, UserId};
use serde::Deserialize;
use serde_json::json;

use crate::answer::{Failure, served_by};
use crate::app::App;
use crate::body::JsonBody;

/// Largest session that a client may request.
const BYTES_MAX: usize = 1 << 20;
/// Longest user name.
const USER_MAX: usize = 256;

type Handled = Result<Response, Failure>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Begin {
    user_id: Option<UserId>,
    bytes: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Given {
    question_id: u64,
    answer: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claiming {
    /// Repeating a request with the same text gets the same answer.
    claim: Option<String>,
}

/// `POST /api/game/session`
pub async fn create(State(app): State<Arc<App>>, JsonBody(begin): JsonBody<Begin>) -> Handled {
    let bytes = begin.bytes.unwrap_or(DEFAULT_BYTES);
    if bytes > BYTES_MAX {
        return Err(bad_request(format!("bytes: expected {BYTES_MAX} at most")));
    }
    let user = begin.user_id.unwrap_or_else(UserId::anonymous);
    if matches!(&user, UserId::Text(name) if name.is_empty() || name.len() > USER_MAX) {
        return Err(bad_request(format!("userId: expected 1 to {USER_MAX} bytes, or a number")));
    }
    let begun = app.games.begin_sized(user, bytes).await.map_err(|error| app.failure(&error))?;
    let cookie = app.cookie_for(&begun.value.session_id)?;
    Ok((StatusCode::CREATED, served_by(begun.served_by), cookie, Json(begun.value)).into_response())
}

/// `POST /api/game/answer`
pub async fn answer(State(app): State<Arc<App>>, headers: HeaderMap, JsonBody(given): JsonBody<Given>) -> Handled {
    let id = app.cookie.session(&headers)?;
    if app.settings.open_questions {
        return keep(&app, &id, &given).await;
    }
    let submitted = app.games.submit(&id, given.question_id, given.answer).await.map_err(|e| app.failure(&e))?;
    Ok((served_by(submitted.served_by), app.cookie_for(&id)?, Json(submitted.value)).into_response())
}

/// Keeps an answer to a question that is not in the session.
async fn keep(app: &App, id: &SessionId, given: &Given) -> Handled {
    let Given { question_id: question, answer: choice } = *given;
    let answer = Answer { question, choice, correct: false, score: 0, answered_at: Timestamp::now() };
    let kept = app.opened.store.append(id, answer, app.ttl).await.map_err(|error| app.failure(&error.into()))?;
    let body = json!({ "questionId": question });
    Ok((served_by(kept.served_by), app.cookie_for(id)?, Json(body)).into_response())
}

/// `GET /api/game/results`
pub async fn results(State(app): State<Arc<App>>, headers: HeaderMap) -> Handled {
    let id = app.cookie.session(&headers)?;
    let read = app.games.results(&id).await.map_err(|error| app.failure(&error))?;
    Ok((served_by(read.served_by), app.cookie_for(&id)?, Json(read.value)).into_response())
}

/// `POST /api/game/award`: without a claim in the request, the server makes one up, and the reward is awarded once.
pub async fn award(State(app): State<Arc<App>>, headers: HeaderMap, JsonBody(asked): JsonBody<Claiming>) -> Handled {
    let id = app.cookie.session(&headers)?;
    let token = match asked.claim {
        None => ClaimToken::random(),
        Some(text) => ClaimToken::new(&text)
            .ok_or_else(|| bad_request("claim: expected 1 to 128 letters, digits, - and _".to_owned()))?,
    };
    let claimed = app.games.award(&id, &token).await.map_err(|error| app.failure(&error))?;
    // A claim in the fallback may still lose to another: repeating the request with the same token tells.
    let (status, body) = match claimed.value {
        Claim::Awarded => (StatusCode::OK, json!({ "awarded": true, "claim": token })),
        Claim::Pending => (StatusCode::ACCEPTED, json!({ "awarded": false, "pending": true, "claim": token })),
        Claim::Taken { .. } => (StatusCode::OK, json!({ "awarded": false })),
    };
    Ok((status, served_by(claimed.served_by), app.cookie_for(&id)?, Json(body)).into_response())
}

/// `DELETE /api/game/session`: succeeds even if there was none.
pub async fn end(State(app): State<Arc<App>>, headers: HeaderMap) -> Handled {
    let id = app.cookie.session(&headers)?;
    let ended = app.games.end(&id).await.map_err(|error| app.failure(&error))?;
    let cookie = [(header::SET_COOKIE, app.cookie.take_back()?)];
    Ok((StatusCode::NO_CONTENT, served_by(ended.served_by), cookie).into_response())
}

fn bad_request(message: String) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "bad_request", message)
}

impl App {
    fn failure(&self, error: &GameError) -> Failure {
        let (status, code) = match error {
            GameError::Store(error) => return Failure::of_store(error, self.settings.retry_after),
            GameError::NotFound => (StatusCode::NOT_FOUND, "session_not_found"),
            GameError::NoSuchQuestion { .. } => (StatusCode::BAD_REQUEST, "no_such_question"),
            GameError::NoSuchChoice { .. } => (StatusCode::BAD_REQUEST, "no_such_choice"),
            GameError::AlreadyAnswered { .. } => (StatusCode::CONFLICT, "already_answered"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "game_error"),
        };
        Failure::new(status, code, error.to_string())
    }

    /// The cookie's lifetime restarts with its session.
    fn cookie_for(&self, id: &SessionId) -> Result<[(header::HeaderName, header::HeaderValue); 1], Failure> {
        Ok([(header::SET_COOKIE, self.cookie.hand_out(id)?)])
    }
}
