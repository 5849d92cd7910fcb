//! Questions to the application that are not part of the load: how it is, and what it counts.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HOST;
use hyper::{Request, StatusCode};

use super::line::Line;

/// Asks `path` of the application at `address`, over a connection of its own; `None` where there is no whole answer
/// `within` that time.
pub async fn ask(address: SocketAddr, path: &str, within: Duration) -> Option<(StatusCode, Bytes)> {
    let request = Request::get(path).header(HOST, address.to_string()).body(Full::default()).ok()?;
    let reply = tokio::time::timeout(within, Line::to(address).call(request)).await.ok()?.ok()?;
    Some((reply.status, reply.body))
}
