//! The client side of Toxiproxy's HTTP API. Every call has its own connection and deadline, because a control port may
//! hang (Toxiproxy's issue 558). Unknown fields are ignored.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::error::ProxyError;

/// The time limit for one call.
const DEADLINE: Duration = Duration::from_secs(5);

/// The API's answers are never longer.
const LONGEST: usize = 16 << 20;

/// Toxiproxy's default port.
const DEFAULT_PORT: u16 = 8474;

/// The API of a Toxiproxy server: `http://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToxiproxyUrl {
    host: String,
    port: u16,
}

impl ToxiproxyUrl {
    /// Its host.
    pub fn host(&self) -> &str {
        &self.host
    }

    fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Sends a request; `path` starts with a slash. Returns the status and the body's JSON, `null` if there is none.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), ProxyError> {
        let failed = |reason: String| self.failed(&format!("{method} {path}"), reason);
        let unreachable = |reason: String| ProxyError::Unreachable { api: self.to_string(), reason };
        let stream = tokio::time::timeout(DEADLINE, TcpStream::connect((self.host.as_str(), self.port)))
            .await
            .map_err(|_| unreachable(format!("no connection within {DEADLINE:?}")))?
            .map_err(|error| unreachable(error.to_string()))?;
        let asked = async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
            let text = body.map_or_else(String::new, |body| body.to_string());
            let request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header("host", self.authority())
                .header("user-agent", concat!("firedrill/", env!("CARGO_PKG_VERSION")))
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(text)))
                .map_err(|e| e.to_string())?;
            let exchange = async {
                let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
                let status = answer.status();
                let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(|e| e.to_string())?;
                Ok((status, serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null)))
            };
            let mut connection = std::pin::pin!(connection);
            let mut exchange = std::pin::pin!(exchange);
            tokio::select! {
                done = &mut exchange => done,
                // If the connection ends together with the answer, the answer can still be read.
                ended = &mut connection => match ended {
                    Ok(()) => exchange.await,
                    Err(error) => Err(error.to_string()),
                },
            }
        };
        let answered: Result<_, String> = tokio::time::timeout(DEADLINE, asked)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {DEADLINE:?}")));
        answered.map_err(failed)
    }

    /// Like [`ToxiproxyUrl::call`], but an answer of 400 or more is an error with Toxiproxy's own message.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, ProxyError> {
        let doing = format!("{method} {path}");
        let (status, body) = self.call(method, path, body).await?;
        match status.is_success() {
            true => Ok(body),
            false => Err(self.failed(&doing, format!("{status} {}", words(&body)))),
        }
    }

    /// The error for a failed `doing`.
    pub(super) fn failed(&self, doing: &str, reason: String) -> ProxyError {
        ProxyError::Remote { api: self.to_string(), doing: doing.to_owned(), reason }
    }
}

/// The message in an error body.
fn words(body: &Value) -> &str {
    body.get("error").and_then(Value::as_str).unwrap_or("without a reason")
}

impl fmt::Display for ToxiproxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

impl FromStr for ToxiproxyUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "expected http://host[:port], such as http://127.0.0.1:8474".to_owned();
        let rest = text.strip_prefix("http://").ok_or_else(bad)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '@', '?', '#']) {
            return Err(bad());
        }
        let whole: hyper::http::uri::Authority = rest.parse().map_err(|_| bad())?;
        let host = whole.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad());
        }
        Ok(Self { host, port: whole.port_u16().unwrap_or(DEFAULT_PORT) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_perhaps_a_port_and_never_holds_a_login() {
        let url = |text: &str| text.parse::<ToxiproxyUrl>().map(|url| url.to_string());
        assert_eq!(url("http://127.0.0.1:9000/"), Ok("http://127.0.0.1:9000".to_owned()));
        assert_eq!(url("http://toxiproxy"), Ok("http://toxiproxy:8474".to_owned()));
        assert_eq!(url("http://[::1]:1"), Ok("http://[::1]:1".to_owned()));
        for text in ["toxiproxy:8474", "https://toxiproxy", "http://me:secret@toxiproxy", "http://a/b", "http://"] {
            assert!(url(text).is_err(), "{text}");
        }
    }
}
