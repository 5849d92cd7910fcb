//! One lane's keep-alive HTTP/1.1 connection, opened on first use and reopened after a loss.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::super::attempts::Attempts;

/// The time limit for connecting.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// A whole answer.
#[derive(Debug)]
pub(in crate::targets) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::targets) enum Failure {
    /// No connection could be opened.
    Unreachable,
    /// The connection broke before the request went out.
    Unsent,
    /// The connection broke while the request was, or may have been, in flight.
    Lost,
}

/// The connection to one application.
pub(in crate::targets) struct Connection {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
    attempts: Attempts,
}

impl Connection {
    pub fn to(address: SocketAddr) -> Self {
        Self { address, sender: None, attempts: Attempts::default() }
    }

    /// Sends `request` and reads the whole answer. Dropping the future drops the connection too, so a late answer
    /// cannot be mistaken for another request's.
    pub async fn call(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
        let (mut sender, fresh) = match self.sender.take() {
            Some(sender) if !sender.is_closed() => (sender, false),
            _ => (self.connect().await?, true),
        };
        match Self::exchange(&mut sender, request).await {
            Ok(reply) => {
                self.sender = Some(sender);
                Ok(reply)
            }
            // A closed idle connection is noticed only on use. Nothing was sent, so try once more.
            Err((Failure::Unsent, Some(request))) if !fresh => {
                let mut sender = self.connect().await?;
                let reply = Self::exchange(&mut sender, request).await.map_err(|(failure, _)| failure)?;
                self.sender = Some(sender);
                Ok(reply)
            }
            Err((failure, _)) => Err(failure),
        }
    }

    async fn connect(&mut self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        self.attempts.due().await;
        let connecting = async {
            let stream = TcpStream::connect(self.address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            http1::handshake(TokioIo::new(stream)).await.ok()
        };
        let Some((sender, connection)) = tokio::time::timeout(CONNECT_DEADLINE, connecting).await.ok().flatten() else {
            self.attempts.failed();
            return Err(Failure::Unreachable);
        };
        self.attempts = Attempts::default();
        // Drives the connection while the sender lives. If it ends, the request in flight fails.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    /// On failure, also returns the request if it was certainly not sent.
    async fn exchange(
        sender: &mut SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, (Failure, Option<Request<Full<Bytes>>>)> {
        if sender.ready().await.is_err() {
            return Err((Failure::Unsent, Some(request)));
        }
        let response = sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
            Some(request) => (Failure::Unsent, Some(request)),
            None => (Failure::Lost, None),
        })?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| (Failure::Lost, None))?.to_bytes();
        Ok(Reply { status: head.status, headers: head.headers, body })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

    async fn listen() -> (TcpListener, Connection) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let line = Connection::to(listener.local_addr().unwrap());
        (listener, line)
    }

    fn get() -> Request<Full<Bytes>> {
        Request::get("/").header("host", "x").body(Full::default()).unwrap()
    }

    /// Accepts one connection and answers its first `answers` requests, then closes it without answering the next one,
    /// if any.
    async fn serve(listener: &TcpListener, answers: usize, then_read: bool) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        for _ in 0..answers {
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            stream.write_all(ANSWER).await.unwrap();
        }
        if then_read {
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
        }
    }

    #[tokio::test]
    async fn requests_share_a_connection_and_a_closed_one_is_replaced() {
        let (listener, mut line) = listen().await;
        let server = tokio::spawn(async move {
            serve(&listener, 2, false).await;
            serve(&listener, 1, false).await;
        });
        for _ in 0..3 {
            let reply = line.call(get()).await.unwrap();
            assert_eq!((reply.status, &reply.body[..]), (StatusCode::OK, &b"hi"[..]));
        }
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_cut_after_sending_is_lost_and_a_dead_server_is_unreachable() {
        let (listener, mut line) = listen().await;
        let server = tokio::spawn(async move { serve(&listener, 0, true).await });
        assert_eq!(line.call(get()).await.unwrap_err(), Failure::Lost);
        server.await.unwrap();
        assert_eq!(line.call(get()).await.unwrap_err(), Failure::Unreachable);
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_takes_its_connection_with_it() {
        let (listener, mut line) = listen().await;
        let call = tokio::time::timeout(Duration::from_millis(50), line.call(get())).await;
        assert!(call.is_err());
        let server = tokio::spawn(async move {
            let _given_up = listener.accept().await.unwrap();
            serve(&listener, 1, false).await;
        });
        assert_eq!(line.call(get()).await.unwrap().status, StatusCode::OK);
        server.await.unwrap();
    }
}
