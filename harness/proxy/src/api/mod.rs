//! Toxiproxy's HTTP API (version 2.12) for the proxies of one server, so that Toxiproxy's clients and its users' habits
//! work unchanged.

#[cfg(test)]
mod bad_input;
mod body;
mod error;
mod go;
mod guard;
mod in_time;
mod path;
mod populate;
mod request_id;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use self::body::{AskedProxy, AskedToxic, Populated, ShownProxy, toxic_change, toxics_of};
use self::error::ApiError;
use self::guard::{Guard, guard};
use self::in_time::in_time;
use super::descriptors::limit_and_reserve;
use super::error::ProxyError;
use super::http::{self, Limits};
use super::registry::Registry;
use super::toxic::ToxicSpec;
use super::{exposition, metrics};

/// The version of Toxiproxy whose API this is, and the version of this crate.
pub const API_VERSION: &str = concat!("2.12.0+firedrill.", env!("CARGO_PKG_VERSION"));

type Proxies = State<Arc<Registry>>;
type Answer<T> = Result<T, ApiError>;

/// How the API is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiOptions {
    /// Names besides localhost that clients may use for an API on loopback. Other names are refused there: a web page
    /// whose name resolves to 127.0.0.1 must not control the proxy.
    pub allow_hosts: Vec<String>,
    /// How long a client may take to send a request, and wait before the next, until its connection is closed.
    pub patience: Duration,
    /// Whether `/metrics` also tells what the process uses, as `toxiproxy-server -runtime-metrics` does.
    pub runtime_metrics: bool,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self { allow_hosts: Vec::new(), patience: Duration::from_secs(30), runtime_metrics: false }
    }
}

/// Serves the API on `listener` until the runtime ends.
pub(super) async fn serve(listener: TcpListener, proxies: Arc<Registry>, options: ApiOptions) {
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let ApiOptions { allow_hosts, patience, runtime_metrics } = options;
    let guarded = routes(proxies, runtime_metrics)
        .layer(from_fn(path::redirect))
        .layer(from_fn_with_state(patience, in_time))
        .layer(from_fn_with_state(Arc::new(Guard { loopback, allow_hosts }), guard))
        .layer(from_fn(request_id::mark));
    // Fewer than the reserved descriptors: what the proxies leave must suffice for all clients of the API.
    let (_, reserve) = limit_and_reserve();
    let clients = usize::try_from(reserve / 2).unwrap_or(1).max(1);
    http::serve(listener, TowerToHyperService::new(guarded), Limits { clients, patience }).await;
}

/// Creates the proxies in a JSON array, like `POST /populate`; returns what is wrong with it.
pub(super) async fn populate_from(proxies: &Registry, json: &[u8]) -> Result<(), String> {
    populate::populate(proxies, &text_of(json)).await.map(drop).map_err(|(error, _)| error.error)
}

/// A body as text: as Go, with U+FFFD for what is none.
fn text_of(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(body)
}

fn routes(proxies: Arc<Registry>, runtime_metrics: bool) -> Router {
    Router::new()
        .route("/version", get(show_version).head(refuse))
        .route("/metrics", get(async move |proxies| show_metrics(proxies, runtime_metrics)))
        .route("/reset", post(reset))
        .route("/populate", post(populate))
        .route("/proxies", get(list_proxies).post(create_proxy).head(refuse))
        .route(
            "/proxies/{proxy}",
            get(show_proxy).post(update_proxy).patch(update_proxy).delete(delete_proxy).head(refuse),
        )
        .route("/proxies/{proxy}/toxics", get(list_toxics).post(create_toxic).head(refuse))
        .route(
            "/proxies/{proxy}/toxics/{toxic}",
            get(show_toxic).post(update_toxic).patch(update_toxic).delete(delete_toxic).head(refuse),
        )
        .fallback(async || (StatusCode::NOT_FOUND, "404 page not found\n"))
        .with_state(proxies)
}

/// Toxiproxy answers no HEAD but that of `/metrics`.
async fn refuse() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

async fn show_version() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json;charset=utf-8")];
    (kind, format!("{{\"version\": \"{API_VERSION}\"}}\n")).into_response()
}

fn show_metrics(State(proxies): Proxies, of_the_process: bool) -> Response {
    let mut text = metrics::render(proxies.list().iter().map(|proxy| &**proxy));
    if of_the_process {
        metrics::render_process(&mut text);
    }
    ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], text.into_text()).into_response()
}

async fn reset(State(proxies): Proxies) -> Answer<StatusCode> {
    proxies.reset().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_proxies(State(proxies): Proxies) -> Json<BTreeMap<String, ShownProxy>> {
    Json(proxies.list().iter().map(|proxy| (proxy.name().to_owned(), ShownProxy::of(proxy))).collect())
}

async fn create_proxy(State(proxies): Proxies, body: Bytes) -> Answer<(StatusCode, Json<ShownProxy>)> {
    let asked = AskedProxy::read(&text_of(&body))?;
    if let Some(field) = asked.missing_field() {
        return Err(ApiError::missing(field));
    }
    let proxy = populate::create(&proxies, asked).await?;
    Ok((StatusCode::CREATED, Json(ShownProxy::of(&proxy))))
}

async fn populate(State(proxies): Proxies, body: Bytes) -> (StatusCode, Json<Populated>) {
    let (status, error, made) = match populate::populate(&proxies, &text_of(&body)).await {
        Ok(made) => (StatusCode::CREATED, None, made),
        Err((error, made)) => (error.status(), Some(error), made),
    };
    let shown: Vec<ShownProxy> = made.iter().map(|proxy| ShownProxy::of(proxy)).collect();
    (status, Json(Populated { error, proxies: Some(shown).filter(|shown| !shown.is_empty()) }))
}

async fn show_proxy(State(proxies): Proxies, Path(name): Path<String>) -> Answer<Json<ShownProxy>> {
    Ok(Json(ShownProxy::of(&*proxies.get(&name)?)))
}

async fn update_proxy(State(proxies): Proxies, Path(name): Path<String>, body: Bytes) -> Answer<Json<ShownProxy>> {
    let proxy = proxies.get(&name)?;
    let change = AskedProxy::read(&text_of(&body))?.change().await.map_err(ApiError::unresolved)?;
    proxy.change(change).await?;
    Ok(Json(ShownProxy::of(&proxy)))
}

async fn delete_proxy(State(proxies): Proxies, Path(name): Path<String>) -> Answer<StatusCode> {
    proxies.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_toxics(State(proxies): Proxies, Path(name): Path<String>) -> Answer<Json<Vec<ToxicSpec>>> {
    Ok(Json(toxics_of(&*proxies.get(&name)?)))
}

/// What is wrong with a toxic is found in Toxiproxy's order: its attributes come last.
async fn create_toxic(State(proxies): Proxies, Path(name): Path<String>, body: Bytes) -> Answer<Json<ToxicSpec>> {
    let proxy = proxies.get(&name)?;
    let body = text_of(&body);
    let asked = AskedToxic::read(&body)?;
    let kind = asked.kind()?;
    if proxy.toxic(asked.name()).is_ok() {
        return Err(ProxyError::ToxicExists(asked.name().to_owned()).into());
    }
    let spec = asked.spec(kind)?;
    proxy.add_toxic(spec.clone()).await?;
    Ok(Json(spec))
}

async fn show_toxic(State(proxies): Proxies, Path((name, toxic)): Path<(String, String)>) -> Answer<Json<ToxicSpec>> {
    Ok(Json(proxies.get(&name)?.toxic(&toxic)?))
}

async fn update_toxic(
    State(proxies): Proxies,
    Path((name, toxic)): Path<(String, String)>,
    body: Bytes,
) -> Answer<Json<ToxicSpec>> {
    let proxy = proxies.get(&name)?;
    let change = toxic_change(&text_of(&body), &proxy.toxic(&toxic)?.toxic)?;
    Ok(Json(proxy.update_toxic(&toxic, change).await?))
}

async fn delete_toxic(State(proxies): Proxies, Path((name, toxic)): Path<(String, String)>) -> Answer<StatusCode> {
    proxies.get(&name)?.remove_toxic(&toxic).await?;
    Ok(StatusCode::NO_CONTENT)
}
