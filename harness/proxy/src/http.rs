//! HTTP/1.1 with limits on what clients can occupy: time, and the number of connections.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// The answer to a connection beyond the limit.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n";

/// What clients may occupy.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub clients: usize,
    /// How long a client may take for the head of a request, and for the pause before it.
    pub patience: Duration,
}

/// Serves `service` to the clients of `listener` until the runtime ends.
pub async fn serve<S, B>(listener: TcpListener, service: S, limits: Limits)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let places = Arc::new(Semaphore::new(limits.clients));
    loop {
        let client = match listener.accept().await {
            Ok((client, _)) => client,
            Err(error) => {
                tracing::warn!(%error, "an HTTP client cannot be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            refuse(&client);
            continue;
        };
        let mut http = http1::Builder::new();
        let connection = http.timer(TokioTimer::new()).header_read_timeout(limits.patience);
        let connection = connection.serve_connection(TokioIo::new(client), service.clone());
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
