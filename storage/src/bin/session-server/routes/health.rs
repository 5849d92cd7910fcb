//! How the service is (T13, S4), and its figures in Prometheus's text format.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use firedrill_storage::HealthStatus;
use serde_json::json;

use crate::App;

/// `GET /health`
pub async fn health(State(app): State<Arc<App>>) -> Response {
    let health = app.opened.store.health().await;
    let is_degraded = app.opened.is_degraded() || health.status == HealthStatus::Degraded;
    let (code, status) = match health.status {
        HealthStatus::Disconnected => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        _ if is_degraded => (StatusCode::OK, "degraded"),
        _ => (StatusCode::OK, "ok"),
    };
    let body = json!({
        "status": status,
        "storage": app.opened.storage(),
        "redis": if app.opened.is_redis_connected() { "connected" } else { "disconnected" },
        "fallbackMode": is_degraded,
    });
    (code, Json(body)).into_response()
}

/// `GET /health/redis`
pub async fn redis(State(app): State<Arc<App>>) -> Response {
    let health = app.opened.store.health().await;
    let status = match health.status {
        HealthStatus::Connected => "connected",
        HealthStatus::Degraded => "degraded",
        HealthStatus::Disconnected => "disconnected",
    };
    let body = json!({
        "success": health.status != HealthStatus::Disconnected,
        "data": { "status": status, "latencyMs": health.latency.map(|latency| latency.as_secs_f64() * 1e3) },
    });
    (StatusCode::OK, Json(body)).into_response()
}

/// `GET /metrics`
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render()).into_response()
}
