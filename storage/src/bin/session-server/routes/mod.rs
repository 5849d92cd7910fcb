//! Which path leads to which handler.

mod events;
mod game;
mod health;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};

use crate::answer::Failure;
use crate::app::App;

/// Every route.
pub fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/game/session", post(game::create).delete(game::end))
        .route("/api/game/answer", post(game::answer))
        .route("/api/game/results", get(game::results))
        .route("/api/game/award", post(game::award))
        .route("/health", get(health::health))
        .route("/health/redis", get(health::redis))
        .route("/metrics", get(health::metrics))
        .route("/events", get(events::events))
        .fallback(async || Failure::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", "this path does not support this method")
        })
        .layer(DefaultBodyLimit::max(app.settings.body_limit))
        .with_state(Arc::clone(app))
}
