//! The game's routes (T15). What is right leaves the server only with an answer that was given.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use firedrill_storage::record::trivia::DEFAULT_BYTES;
use firedrill_storage::{Answer, Question, SessionId, StoreError, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::App;
use crate::answer::{Failure, served_by};
use crate::body::JsonBody;
use crate::game::Submitted;

/// Largest session that a client may ask for.
const BYTES_MAX: usize = 1 << 20;
/// Longest name of a user.
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

/// A question as the player may see it before the answer.
#[derive(Serialize)]
struct Asked<'a> {
    id: u64,
    text: &'a str,
    choices: &'a [String],
}

impl<'a> From<&'a Question> for Asked<'a> {
    fn from(question: &'a Question) -> Self {
        Self { id: question.id, text: &question.text, choices: &question.choices }
    }
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
    let begun = app.game.create(user, bytes).await.map_err(|error| app.failure(&error))?;
    let questions: Vec<Asked<'_>> = begun.value.questions.iter().map(Asked::from).collect();
    let body = json!({ "sessionId": begun.value.session_id, "questions": questions });
    let cookie = [(header::SET_COOKIE, app.cookie.hand_out(&begun.value.session_id)?)];
    Ok((StatusCode::CREATED, served_by(begun.served_by), cookie, Json(body)).into_response())
}

/// `POST /api/game/answer`
pub async fn answer(State(app): State<Arc<App>>, headers: HeaderMap, JsonBody(given): JsonBody<Given>) -> Handled {
    let id = app.cookie.session(&headers)?;
    if app.settings.open_questions {
        return keep(&app, &id, &given).await;
    }
    let submitted = app.game.submit(&id, given.question_id, given.answer).await.map_err(|e| app.failure(&e))?;
    let judged = match submitted.value {
        Submitted::Judged(answer) => answer,
        Submitted::NoSuchQuestion => return Err(bad_request("questionId: the game has no such question")),
        Submitted::NoSuchChoice => return Err(bad_request("answer: the question has no such choice")),
    };
    let cookie = app.renewed(&id)?;
    Ok((served_by(submitted.served_by), cookie, Json(shown(&judged))).into_response())
}

/// Keeps an answer to a question that is not in the session.
async fn keep(app: &App, id: &SessionId, given: &Given) -> Handled {
    let Given { question_id: question, answer: choice } = *given;
    let answer = Answer { question, choice, correct: false, score: 0, answered_at: Timestamp::now() };
    let kept = app.opened.store.append(id, answer.clone(), app.ttl).await.map_err(|error| app.failure(&error))?;
    Ok((served_by(kept.served_by), app.renewed(id)?, Json(shown(&answer))).into_response())
}

/// `GET /api/game/results`
pub async fn results(State(app): State<Arc<App>>, headers: HeaderMap) -> Handled {
    let id = app.cookie.session(&headers)?;
    let read = app.game.results(&id).await.map_err(|error| app.failure(&error))?;
    let session = &read.value.data;
    let body = json!({
        "sessionId": session.session_id,
        "userId": session.user_id,
        "score": session.score(),
        "questions": session.questions.len(),
        "answers": session.answers.iter().map(shown).collect::<Vec<_>>(),
        "progressionAwarded": session.progression_awarded,
        "createdAt": session.created_at,
        "lastActivityTime": session.last_activity_time,
        "version": read.value.version,
    });
    Ok((served_by(read.served_by), app.renewed(&id)?, Json(body)).into_response())
}

/// `POST /api/game/award`
pub async fn award(State(app): State<Arc<App>>, headers: HeaderMap) -> Handled {
    let id = app.cookie.session(&headers)?;
    let claimed = app.game.award(&id).await.map_err(|error| app.failure(&error))?;
    let body = json!({ "awarded": claimed.value });
    Ok((served_by(claimed.served_by), app.renewed(&id)?, Json(body)).into_response())
}

/// `DELETE /api/game/session`: also where there was none.
pub async fn end(State(app): State<Arc<App>>, headers: HeaderMap) -> Handled {
    let id = app.cookie.session(&headers)?;
    let ended = app.game.end(&id).await.map_err(|error| app.failure(&error))?;
    let cookie = [(header::SET_COOKIE, app.cookie.take_back()?)];
    Ok((StatusCode::NO_CONTENT, served_by(ended.served_by), cookie).into_response())
}

fn shown(answer: &Answer) -> serde_json::Value {
    json!({
        "questionId": answer.question,
        "answer": answer.choice,
        "correct": answer.correct,
        "score": answer.score,
        "answeredAt": answer.answered_at,
    })
}

fn bad_request(message: impl Into<String>) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "bad_request", message)
}

impl App {
    fn failure(&self, error: &StoreError) -> Failure {
        Failure::of_store(error, self.settings.retry_after)
    }

    /// The cookie lives anew with its session.
    fn renewed(&self, id: &SessionId) -> Result<[(header::HeaderName, header::HeaderValue); 1], Failure> {
        Ok([(header::SET_COOKIE, self.cookie.hand_out(id)?)])
    }
}
