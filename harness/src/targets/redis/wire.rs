//! The stream to a server: TCP, a Unix socket, or what lies above them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use firedrill_storage::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A stream. The plain ones are called directly: they are what a generator must be fast on.
pub(super) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// With TLS, or opened by a resolver of the drill.
    Other(Box<dyn Stream>),
}

impl Wire {
    /// Reads into `buffer`, and returns how many bytes there were: 0 if the peer has closed.
    pub(super) fn poll_bytes(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(buffer);
        let read = match self {
            Wire::Tcp(stream) => Pin::new(stream).poll_read(context, &mut room),
            Wire::Unix(stream) => Pin::new(stream).poll_read(context, &mut room),
            Wire::Other(stream) => Pin::new(stream).poll_read(context, &mut room),
        };
        read.map_ok(|()| room.filled().len())
    }

    /// Sends some of `bytes`, and returns how many.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Wire::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Wire::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Wire::Other(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    /// Sends what the stream itself holds back; sockets hold back nothing.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Wire::Tcp(_) | Wire::Unix(_) => Poll::Ready(Ok(())),
            Wire::Other(stream) => Pin::new(stream).poll_flush(context),
        }
    }
}
