//! The service's health (T13, S4), and its metrics in Prometheus's text format.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;

/// `GET /health`: 503 if requests are not answered.
pub async fn health(State(app): State<Arc<App>>) -> Response {
    let report = app.opened.health().await;
    let status = if report.is_serving() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report.service())).into_response()
}

/// `GET /health/redis`: 503 if Redis does not answer.
pub async fn redis(State(app): State<Arc<App>>) -> Response {
    let report = app.opened.health().await;
    let success = report.is_redis_connected();
    let status = if success { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "success": success, "data": report.redis() }))).into_response()
}

/// `GET /metrics`
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    app.opened.publish_metrics();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render()).into_response()
}
