//! Toxiproxy's HTTP API (version 2.12) for the proxies of one server, so that Toxiproxy's clients and its users' habits
//! work unchanged.

mod body;
mod error;
mod guard;
mod populate;
mod serve;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

pub(super) use self::body::resolve;
use self::body::{ChangedProxy, ChangedToxic, NewProxy, NewToxic, Populated, ShownProxy, read};
use self::error::ApiError;
use self::guard::{Guard, guard};
use self::serve::in_time;
use super::metrics;
use super::proxy::ProxyChange;
use super::registry::Registry;
use super::toxic::ToxicSpec;

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
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self { allow_hosts: Vec::new(), patience: Duration::from_secs(30) }
    }
}

/// Serves the API on `listener` until the runtime ends.
pub(super) async fn serve(listener: TcpListener, proxies: Arc<Registry>, options: ApiOptions) {
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let ApiOptions { allow_hosts, patience } = options;
    let guarded = routes(proxies)
        .layer(from_fn_with_state(patience, in_time))
        .layer(from_fn_with_state(Arc::new(Guard { loopback, allow_hosts }), guard));
    serve::serve(listener, guarded, patience).await;
}

/// Creates the proxies in a JSON array, like `POST /populate`; returns what is wrong with it.
pub(super) async fn populate_from(proxies: &Registry, json: &[u8]) -> Result<(), String> {
    populate::populate(proxies, json).await.map(drop).map_err(|(error, _)| error.error)
}

fn routes(proxies: Arc<Registry>) -> Router {
    Router::new()
        .route("/version", get(async || Json(json!({ "version": API_VERSION }))))
        .route("/metrics", get(show_metrics))
        .route("/reset", post(reset))
        .route("/populate", post(populate))
        .route("/proxies", get(list_proxies).post(create_proxy))
        .route("/proxies/{proxy}", get(show_proxy).post(update_proxy).patch(update_proxy).delete(delete_proxy))
        .route("/proxies/{proxy}/toxics", get(list_toxics).post(create_toxic))
        .route(
            "/proxies/{proxy}/toxics/{toxic}",
            get(show_toxic).post(update_toxic).patch(update_toxic).delete(delete_toxic),
        )
        .fallback(async || (StatusCode::NOT_FOUND, "404 page not found\n"))
        .with_state(proxies)
}

async fn show_metrics(State(proxies): Proxies) -> Response {
    let text = metrics::render(proxies.list().iter().map(|proxy| &**proxy));
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

async fn reset(State(proxies): Proxies) -> Answer<StatusCode> {
    proxies.reset().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_proxies(State(proxies): Proxies) -> Json<BTreeMap<String, ShownProxy>> {
    Json(proxies.list().iter().map(|proxy| (proxy.name().to_owned(), ShownProxy::of(proxy))).collect())
}

async fn create_proxy(State(proxies): Proxies, body: Bytes) -> Answer<(StatusCode, Json<ShownProxy>)> {
    let new: NewProxy = read(&body)?;
    if let Some(field) = new.missing_field() {
        return Err(ApiError::missing(field));
    }
    let proxy = populate::create(&proxies, new).await?;
    Ok((StatusCode::CREATED, Json(ShownProxy::of(&proxy))))
}

async fn populate(State(proxies): Proxies, body: Bytes) -> (StatusCode, Json<Populated>) {
    let (status, error, made) = match populate::populate(&proxies, &body).await {
        Ok(made) => (StatusCode::CREATED, None, made),
        Err((error, made)) => (error.status(), Some(error), made),
    };
    (status, Json(Populated { error, proxies: made.iter().map(|proxy| ShownProxy::of(proxy)).collect() }))
}

async fn show_proxy(State(proxies): Proxies, Path(name): Path<String>) -> Answer<Json<ShownProxy>> {
    Ok(Json(ShownProxy::of(&*proxies.get(&name)?)))
}

async fn update_proxy(State(proxies): Proxies, Path(name): Path<String>, body: Bytes) -> Answer<Json<ShownProxy>> {
    let proxy = proxies.get(&name)?;
    let ChangedProxy { listen, upstream, enabled } = read(&body)?;
    let listen = match listen {
        Some(listen) => Some(resolve(&listen).await?),
        None => None,
    };
    proxy.update(ProxyChange { listen, upstream, enabled }).await?;
    Ok(Json(ShownProxy::of(&proxy)))
}

async fn delete_proxy(State(proxies): Proxies, Path(name): Path<String>) -> Answer<StatusCode> {
    proxies.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_toxics(State(proxies): Proxies, Path(name): Path<String>) -> Answer<Json<Vec<ToxicSpec>>> {
    Ok(Json(proxies.get(&name)?.toxics()))
}

async fn create_toxic(State(proxies): Proxies, Path(name): Path<String>, body: Bytes) -> Answer<Json<ToxicSpec>> {
    let proxy = proxies.get(&name)?;
    let spec = read::<NewToxic>(&body)?.spec()?;
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
    let change: ChangedToxic = read(&body)?;
    Ok(Json(proxy.update_toxic(&toxic, change.into()).await?))
}

async fn delete_toxic(State(proxies): Proxies, Path((name, toxic)): Path<(String, String)>) -> Answer<StatusCode> {
    proxies.get(&name)?.remove_toxic(&toxic).await?;
    Ok(StatusCode::NO_CONTENT)
}
