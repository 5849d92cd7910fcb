//! Requests to the application outside the load: its health and its metrics.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HOST;
use hyper::{Request, StatusCode};

use super::connection::{Connection, Reply};

/// Requests `path` from the application at `address` on a separate connection; `None` if no complete answer arrives
/// `within` that time.
pub(super) async fn ask(address: SocketAddr, path: &str, within: Duration) -> Option<(StatusCode, Bytes)> {
    reply(address, path, within).await.map(|reply| (reply.status, reply.body))
}

/// Like [`ask`], with the answer's headers.
pub(super) async fn reply(address: SocketAddr, path: &str, within: Duration) -> Option<Reply> {
    let request = Request::get(path).header(HOST, address.to_string()).body(Full::default()).ok()?;
    tokio::time::timeout(within, Connection::to(address).call(request)).await.ok()?.ok()
}
