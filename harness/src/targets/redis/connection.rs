//! One connection that carries one request at a time.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use super::resp::{Parsed, Value, parse};
use super::wire::Wire;

/// Initial buffer size: large enough that a 1 KiB reply arrives in one read that does not fill the buffer. A partial
/// read tells the runtime that the socket is empty, which saves the read that would find out.
pub(super) const FIRST_BUFFER: usize = 16 * 1024;

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

/// A reply, in the buffer that it was read into.
pub(super) struct Reply<'c> {
    /// Its values, in order.
    pub(super) values: &'c [Value],
    bytes: &'c [u8],
}

impl<'c> Reply<'c> {
    pub(super) fn new(values: &'c [Value], bytes: &'c [u8]) -> Self {
        Self { values, bytes }
    }

    /// The text at `place`.
    pub(super) fn text(&self, place: &Range<usize>) -> &'c [u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }

    /// The server's refusal, if it is one.
    pub(super) fn error(&self) -> Option<&'c [u8]> {
        match self.values {
            [Value::Error(text)] => Some(self.text(text)),
            _ => None,
        }
    }
}

pub(super) struct Connection {
    wire: Wire,
    buffer: Vec<u8>,
    values: Vec<Value>,
    /// How many requests it has carried.
    pub(super) carried: u64,
}

impl Connection {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, buffer: vec![0; FIRST_BUFFER], values: Vec::new(), carried: 0 }
    }

    /// The stream, on which no reply is outstanding.
    pub(super) fn into_wire(self) -> Wire {
        self.wire
    }

    /// Sends one request and waits for its reply. After a failure, or if the future is dropped early, the connection
    /// must not be used again.
    pub(super) async fn call(&mut self, request: &[u8]) -> Result<Reply<'_>, Failure> {
        self.carried += 1;
        let mut sent = 0;
        poll_fn(|context| send(&mut self.wire, context, request, &mut sent))
            .await
            .map_err(|_| if sent == 0 { Failure::Unsent } else { Failure::Lost })?;
        self.receive().await
    }

    /// Waits for a reply that is alone on the connection.
    async fn receive(&mut self) -> Result<Reply<'_>, Failure> {
        let (mut length, mut needed) = (0, 1);
        loop {
            let wire = &mut self.wire;
            let received = poll_fn(|context| wire.poll_bytes(context, &mut self.buffer[length..])).await;
            match received {
                Ok(0) | Err(_) => return Err(Failure::Lost),
                Ok(received) => length += received,
            }
            if length < needed {
                continue;
            }
            match parse(&self.buffer[..length], &mut self.values) {
                Parsed::Whole(end) if end == length => break,
                // Nothing else was asked for.
                Parsed::Whole(_) | Parsed::Malformed => return Err(Failure::NotRedis),
                Parsed::Part(whole) => needed = whole,
            }
            // One byte more than the reply needs, so that the read that completes it does not fill the buffer.
            if needed >= self.buffer.len() {
                self.buffer.resize(needed + 1, 0);
            }
        }
        Ok(Reply::new(&self.values, &self.buffer[..length]))
    }
}

/// Sends the rest of `request`; `sent` counts what has gone.
pub(super) fn send(
    wire: &mut Wire,
    context: &mut Context<'_>,
    request: &[u8],
    sent: &mut usize,
) -> Poll<io::Result<()>> {
    while *sent < request.len() {
        match ready!(wire.poll_send(context, &request[*sent..]))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            bytes => *sent += bytes,
        }
    }
    wire.poll_flush(context)
}
