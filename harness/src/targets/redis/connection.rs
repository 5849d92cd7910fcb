//! One connection of the `redis` target: one request out, one reply in.

use std::ops::Range;

use redis::RedisConnectionInfo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::reply::{Parsed, Reply, parse};
use crate::history::Cause;

/// Initial buffer size: large enough that a 1 KiB reply arrives in one read that does not fill the buffer. A partial
/// read tells the runtime that the socket is empty, which saves the read that would find out.
const FIRST_BUFFER: usize = 16 * 1024;

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing was sent.
    Unsent,
    /// The connection was lost after something had been sent.
    Lost,
    /// The received bytes are not a reply.
    NotRedis,
}

pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    demoted: bool,
}

impl Connection {
    /// Connects and logs in.
    pub(super) async fn open(host: &str, port: u16, login: &RedisConnectionInfo) -> Result<Self, Cause> {
        let stream = TcpStream::connect((host, port)).await.map_err(|_| Cause::Unreachable)?;
        stream.set_nodelay(true).map_err(|_| Cause::Unreachable)?;
        let mut connection = Self { stream, buffer: vec![0; FIRST_BUFFER], demoted: false };
        if let Some(password) = login.password() {
            let words = ["AUTH"].into_iter().chain(login.username()).chain([password]);
            connection.prepare(&words.collect::<Vec<_>>()).await?;
        }
        if login.db() != 0 {
            connection.prepare(&["SELECT", &login.db().to_string()]).await?;
        }
        Ok(connection)
    }

    async fn prepare(&mut self, words: &[&str]) -> Result<(), Cause> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        match self.call(request.as_bytes()).await {
            Ok(Reply::Status) => Ok(()),
            Ok(_) => Err(Cause::Refused),
            Err(_) => Err(Cause::Unreachable),
        }
    }

    /// Whether this connection leads to a server that has become a replica; a new connection may lead to its successor.
    pub(super) fn must_close(&self) -> bool {
        self.demoted
    }

    /// Sends one request and waits for its reply. After a failure, or if the future is dropped early, the connection
    /// must not be used again.
    pub(super) async fn call(&mut self, request: &[u8]) -> Result<Reply, Failure> {
        self.send(request).await?;
        let reply = self.receive().await?;
        if let Reply::Error(text) = &reply {
            self.demoted = self.text(text.clone()).starts_with(b"READONLY");
        }
        Ok(reply)
    }

    /// The text at `place` in the last reply.
    pub(super) fn text(&self, place: Range<usize>) -> &[u8] {
        self.buffer.get(place).unwrap_or_default()
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        let mut sent = 0;
        while sent < request.len() {
            match self.stream.try_write(&request[sent..]) {
                Ok(bytes) => sent += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.stream.writable().await.map_err(|_| Failure::Lost)?;
                }
                Err(_) if sent == 0 => return Err(Failure::Unsent),
                Err(_) => return Err(Failure::Lost),
            }
        }
        Ok(())
    }

    /// Reads until the buffer holds one whole reply.
    async fn receive(&mut self) -> Result<Reply, Failure> {
        let mut length = 0;
        loop {
            let received = self.stream.read(&mut self.buffer[length..]).await.map_err(|_| Failure::Lost)?;
            if received == 0 {
                return Err(Failure::Lost);
            }
            length += received;
            match parse(&self.buffer[..length]) {
                Parsed::Whole(reply) => return Ok(reply),
                Parsed::Malformed => return Err(Failure::NotRedis),
                // One byte more than the reply needs, so that the read that completes it does not fill the buffer.
                Parsed::Part(whole) if whole >= self.buffer.len() => self.buffer.resize(whole + 1, 0),
                Parsed::Part(_) => {}
            }
        }
    }
}
