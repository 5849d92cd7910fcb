//! HTTP/1.1 for the API's listener, with limits on what clients can occupy: time, and the number of connections.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::descriptors::limit_and_reserve;

/// The answer to a connection beyond the limit.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n";

/// Serves `routes` until the runtime ends. A request must arrive completely within `patience`, and the pause before it
/// is limited in the same way.
pub(super) async fn serve(listener: TcpListener, routes: Router, patience: Duration) {
    // Fewer than the reserved descriptors: what the proxies leave must suffice for all clients of the API.
    let (_, reserve) = limit_and_reserve();
    let places = Arc::new(Semaphore::new(usize::try_from(reserve / 2).unwrap_or(1).max(1)));
    loop {
        let client = match listener.accept().await {
            Ok((client, _)) => client,
            Err(error) => {
                tracing::warn!(%error, "the proxy's API cannot accept a client");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            refuse(&client);
            continue;
        };
        let service = TowerToHyperService::new(routes.clone());
        let mut http = http1::Builder::new();
        let connection = http.timer(TokioTimer::new()).header_read_timeout(patience);
        let connection = connection.serve_connection(TokioIo::new(client), service);
        tokio::spawn(async move {
            // The client caused the error: it left, was too slow, or does not speak HTTP.
            let _ = connection.await;
            drop(place);
        });
    }
}

/// Answers 503, as far as the socket accepts it without blocking.
fn refuse(client: &TcpStream) {
    let mut request = [0; 4096];
    let _ = client.try_write(BUSY);
    // Closing with unread bytes would reset the connection and destroy the answer.
    let _ = client.try_read(&mut request);
}

/// Ends a request whose body does not arrive.
pub(super) async fn in_time(State(patience): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(patience, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, [(header::CONNECTION, "close")], "request timed out\n").into_response(),
    }
}
