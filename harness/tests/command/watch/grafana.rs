//! A server that keeps annotations as Grafana does, in memory.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use firedrill::proxy::http::{Limits, serve};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

pub const TOKEN: &str = "glsa_s3cret";

/// A running server; it lasts as long as the test's process.
pub struct SmallGrafana {
    pub address: SocketAddr,
    annotations: Arc<Mutex<Vec<Value>>>,
}

impl SmallGrafana {
    pub fn start() -> Self {
        let annotations: Arc<Mutex<Vec<Value>>> = Arc::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let (address, kept) = (listener.local_addr().unwrap(), annotations.clone());
        let service = service_fn(move |request| {
            let kept = kept.clone();
            async move { Ok::<_, Infallible>(answer(request, &kept).await) }
        });
        let limits = Limits { clients: 8, patience: Duration::from_secs(60) };
        std::thread::spawn(move || runtime.block_on(serve(listener, service, limits)));
        Self { address, annotations }
    }

    /// The annotations with this tag.
    pub fn tagged(&self, tag: &str) -> Vec<Value> {
        let has = |one: &&Value| one["tags"].as_array().unwrap().iter().any(|own| own == tag);
        self.annotations.lock().iter().filter(has).cloned().collect()
    }
}

async fn answer(request: Request<Incoming>, kept: &Mutex<Vec<Value>>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let said = |status: StatusCode, words: Value| {
        Response::builder().status(status).body(Full::new(Bytes::from(words.to_string()))).unwrap()
    };
    if head.headers.get(AUTHORIZATION).is_none_or(|given| given != &format!("Bearer {TOKEN}")) {
        return said(StatusCode::UNAUTHORIZED, json!({ "message": "Invalid API key" }));
    }
    let given: Value = serde_json::from_slice(&body).unwrap();
    let mut kept = kept.lock();
    match (head.method, head.uri.path().strip_prefix("/grafana/api/annotations")) {
        (Method::POST, Some("")) if given["text"].is_string() && given["time"].is_u64() => {
            kept.push(given);
            said(StatusCode::OK, json!({ "message": "Annotation added", "id": kept.len() }))
        }
        (Method::PATCH, Some(id)) => {
            let id: usize = id.trim_start_matches('/').parse().unwrap();
            let change = given.as_object().unwrap().clone();
            kept[id - 1].as_object_mut().unwrap().extend(change);
            said(StatusCode::OK, json!({ "message": "Annotation patched" }))
        }
        _ => said(StatusCode::NOT_FOUND, json!({ "message": "Not found" })),
    }
}
