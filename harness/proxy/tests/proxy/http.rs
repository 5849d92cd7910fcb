//! HTTP by hand, for tests of statuses and bodies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer takes on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// Sends one HTTP request, given as its method and path and, on a second line, one more header; returns the status and
/// the body.
pub fn http(server: SocketAddr, request: &str, body: &str) -> (u16, String) {
    http_with_host(server, "127.0.0.1", request, body)
}

/// Like [`http`], with `host` as the server's name.
pub fn http_with_host(server: SocketAddr, host: &str, request: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(server).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!("Host: {host}\r\nConnection: close\r\nContent-Length: {}", body.len());
    let (line, more) = request.split_once('\n').unwrap_or((request, "X-Test: 1"));
    write!(socket, "{line} HTTP/1.1\r\n{head}\r\n{more}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
