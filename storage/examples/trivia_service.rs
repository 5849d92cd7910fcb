//! A trivia service that survives the loss of its Redis. Start it and play:
//! ```text
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p firedrill-storage --example trivia_service
//! curl -X POST localhost:3000/games                      # returns the game's id
//! curl -X POST localhost:3000/games/$ID/answers/1        # kill Redis, and go on
//! curl localhost:3000/games/$ID
//! ```
use std::{sync::Arc, time::Duration};

use axum::extract::{Path, State};
use axum::{Json, Router, http::StatusCode, routing::get, routing::post};
use firedrill_storage::{Answer, AppendStore, SessionId, StoreBuilder, StoreError, Timestamp, TriviaSession, UserId};

type Store = State<Arc<dyn AppendStore<TriviaSession>>>;
const TTL: Duration = Duration::from_secs(3600);

async fn begin(State(store): Store) -> Result<String, StatusCode> {
    let id = SessionId::random();
    let game = TriviaSession::sized(id.clone(), UserId::anonymous(), 50_000, Timestamp::now());
    store.create(&id, game, TTL).await.map_err(status)?;
    Ok(id.to_string())
}

async fn answer(State(store): Store, Path((id, question)): Path<(SessionId, u64)>) -> Result<String, StatusCode> {
    let answer = Answer { question, choice: 0, correct: true, score: 10, answered_at: Timestamp::now() };
    let acked = store.append(&id, answer, TTL).await.map_err(status)?;
    Ok(format!("version {} by {:?}\n", acked.value, acked.served_by))
}

async fn results(State(store): Store, Path(id): Path<SessionId>) -> Result<Json<Vec<Answer>>, StatusCode> {
    let game = store.get(&id, TTL).await.map_err(status)?.value.ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(game.data.answers))
}

fn status(error: StoreError) -> StatusCode {
    match error {
        StoreError::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let store = StoreBuilder::new(url).build::<TriviaSession>()?.store;
    let routes = Router::new()
        .route("/games", post(begin))
        .route("/games/{id}/answers/{question}", post(answer))
        .route("/games/{id}", get(results))
        .with_state(store);
    Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, routes).await?)
}
