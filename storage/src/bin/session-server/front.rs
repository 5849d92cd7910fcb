//! The HTTP/1.1 front. It limits what a client can occupy (time, and the number of connections), and when told to end
//! it finishes requests in progress.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::shutdown::{Stop, told};

/// The answer to a connection beyond the limit.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 74\r\n\
    Retry-After: 1\r\nConnection: close\r\n\r\n\
    {\"error\":{\"code\":\"too_many_connections\",\"message\":\"too many connections\"}}";

/// How long a request with an incomplete head may take once the process is ending.
const HALF_SENT: Duration = Duration::from_secs(1);

/// Pause after a failed accept: without file descriptors, an immediate retry would only burn CPU time.
const PAUSE: Duration = Duration::from_millis(10);

/// What clients may occupy.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Concurrent connections.
    pub connections: usize,
    /// Time for the head of a request, and for the pause before it.
    pub patience: Duration,
    /// Time to finish, from the signal to end.
    pub grace: Duration,
}

/// The share of the grace for requests in progress: the rest is for data that is not in Redis yet.
const FOR_REQUESTS: f64 = 0.5;

/// Serves until told to end, then finishes the requests in progress within half of the grace. Returns the rest of the
/// grace.
pub async fn serve(listener: TcpListener, router: Router, stop: Stop, bounds: Bounds) -> Duration {
    let most = u32::try_from(bounds.connections).unwrap_or(u32::MAX);
    let places = Arc::new(Semaphore::new(bounds.connections));
    loop {
        let accepted = tokio::select! {
            () = told(stop.clone()) => break,
            accepted = listener.accept() => accepted,
        };
        let client = match accepted {
            Ok((client, _)) => client,
            Err(error) => {
                say(&error);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            refuse(&client);
            continue;
        };
        // Responses are short: waiting for more data would only delay them.
        let _ = client.set_nodelay(true);
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            carry(client, router, stop, bounds.patience).await;
            drop(place);
        });
    }
    drop(listener);
    tracing::info!(grace = ?bounds.grace, "stopping: finishing the requests under way");
    let began = Instant::now();
    if tokio::time::timeout(bounds.grace.mul_f64(FOR_REQUESTS), places.acquire_many(most)).await.is_err() {
        tracing::warn!("closed before every request was finished");
    }
    bounds.grace.saturating_sub(began.elapsed())
}

/// Serves one connection to its end. When the process is told to end, a request in progress is answered, and one whose
/// head is still arriving gets a moment.
async fn carry(client: TcpStream, router: Router, stop: Stop, patience: Duration) {
    let under_way = AtomicUsize::new(0);
    let routes = TowerToHyperService::new(router);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        under_way.fetch_add(1, Relaxed);
        let answer = routes.call(request);
        let under_way = &under_way;
        async move {
            let answer = answer.await;
            under_way.fetch_sub(1, Relaxed);
            answer
        }
    });
    let mut http = http1::Builder::new();
    let connection = http.timer(TokioTimer::new()).header_read_timeout(patience);
    let mut connection = pin!(connection.serve_connection(TokioIo::new(client), service));
    // The client caused the error: it left, was too slow, or does not speak HTTP.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = told(stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    while tokio::time::timeout(HALF_SENT, connection.as_mut()).await.is_err() {
        if under_way.load(Relaxed) == 0 {
            return;
        }
    }
}

fn say(error: &io::Error) {
    tracing::warn!(%error, "a connection cannot be accepted");
}

/// Answers 503, as far as the socket accepts it without waiting.
fn refuse(client: &TcpStream) {
    let mut request = [0; 4096];
    let _ = client.try_write(BUSY);
    // Closing with unread bytes would reset the connection and lose the answer.
    let _ = client.try_read(&mut request);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_length_of_the_refusal_is_the_one_it_gives() {
        let text = std::str::from_utf8(super::BUSY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
