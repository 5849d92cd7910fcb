//! Grafana's HTTP API, as far as annotations need it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The most of an answer that is read.
const LARGEST_ANSWER: usize = 64 << 10;

/// A wrong `--grafana` or token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrafanaError {
    /// Not the URL of a Grafana.
    #[error("`{0}` is not the URL of a Grafana, such as https://grafana.example or http://127.0.0.1:3000/grafana")]
    Url(String),
    /// A URL with a user or a password.
    #[error("leave user and password out of the URL of Grafana: it appears in process lists; give a token instead")]
    Secret,
    /// No header can hold it.
    #[error("the token for Grafana is empty, or has characters that no HTTP header can hold")]
    Token,
    /// No TLS.
    #[error("TLS for Grafana cannot be set up: {0}")]
    Tls(String),
}

/// A Grafana, and what it is asked with. Its `Debug` and `Display` show no token.
#[derive(Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    /// What stands before `/api`, without a slash at its end.
    path: String,
    tls: Option<TlsConnector>,
    bearer: HeaderValue,
}

impl Endpoint {
    /// The Grafana at `url`, asked with the token of a service account. `https` is verified with the system's CAs.
    ///
    /// # Errors
    /// [`GrafanaError`].
    pub fn new(url: &str, token: &str) -> Result<Self, GrafanaError> {
        let bad = || GrafanaError::Url(url.to_owned());
        // Before anything else: an error shows the URL.
        if url.contains('@') {
            return Err(GrafanaError::Secret);
        }
        let parsed: Uri = url.trim().parse().map_err(|_| bad())?;
        let host = parsed.host().filter(|host| !host.is_empty()).ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let (tls, port) = match parsed.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(verifying()?), 443),
            _ => return Err(bad()),
        };
        if parsed.query().is_some() {
            return Err(bad());
        }
        let token = token.trim();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| GrafanaError::Token)?;
        if token.is_empty() {
            return Err(GrafanaError::Token);
        }
        bearer.set_sensitive(true);
        let port = parsed.port_u16().unwrap_or(port);
        Ok(Self { host, port, path: parsed.path().trim_end_matches('/').to_owned(), tls, bearer })
    }

    /// Sends `body` and reads the answer.
    ///
    /// # Errors
    /// What went wrong, in words without the token.
    pub(super) async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let asking = self.exchange(method, path, body);
        match tokio::time::timeout(DEADLINE, asking).await {
            Ok(answer) => answer.map_err(|error| format!("{self}: {error}")),
            Err(_) => Err(format!("{self}: no answer within {DEADLINE:?}")),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let stream = TcpStream::connect((&*self.host, self.port)).await.map_err(words)?;
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.path))
            .header(HOST, self.authority())
            .header(AUTHORIZATION, self.bearer.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))
            .map_err(words)?;
        let answer = match &self.tls {
            None => send(TokioIo::new(stream), request).await?,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(words)?;
                send(TokioIo::new(tls.connect(name, stream).await.map_err(words)?), request).await?
            }
        };
        let status = answer.status();
        let read = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(words)?.to_bytes();
        if !status.is_success() {
            // Grafana explains itself under `message`.
            let said: Option<Value> = serde_json::from_slice(&read).ok();
            let said = said.as_ref().and_then(|said| said["message"].as_str()).unwrap_or_default();
            return Err(format!("{status} {said}").trim_end().to_owned());
        }
        serde_json::from_slice(&read).map_err(|error| format!("its answer is not JSON: {error}"))
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (&self.tls, self.port) {
            (None, 80) | (Some(_), 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

fn words(error: impl fmt::Display) -> String {
    error.to_string()
}

async fn send<T: Read + Write + Unpin + Send + 'static>(
    stream: T,
    request: Request<Full<Bytes>>,
) -> Result<Response<hyper::body::Incoming>, String> {
    let (mut sender, connection) = http1::handshake(stream).await.map_err(words)?;
    // Ends with the sender; what goes wrong is the request's error too.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(words)
}

/// A client that trusts the system's CAs.
fn verifying() -> Result<TlsConnector, GrafanaError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    // Named explicitly: another library may have set a different process default, or none.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| GrafanaError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_have_a_path_and_no_secret_and_a_token_is_never_shown() {
        let of = |url: &str| Endpoint::new(url, "s3cret\n").map(|endpoint| format!("{endpoint:?}"));
        assert_eq!(of("http://127.0.0.1:3000/grafana/").unwrap(), "Endpoint(http://127.0.0.1:3000/grafana)");
        assert_eq!(of("https://grafana.example").unwrap(), "Endpoint(https://grafana.example)");
        assert_eq!(of("http://[::1]:3000").unwrap(), "Endpoint(http://[::1]:3000)");
        assert_eq!(of("http://admin:admin@127.0.0.1:3000"), Err(GrafanaError::Secret));
        for bad in ["grafana.example", "ftp://grafana.example", "http://", "http://grafana.example/?orgId=1", ""] {
            assert_eq!(of(bad), Err(GrafanaError::Url(bad.to_owned())), "{bad}");
        }
        for token in ["", " ", "a\u{7f}b", "a\nb"] {
            assert_eq!(Endpoint::new("http://127.0.0.1", token).unwrap_err(), GrafanaError::Token, "{token:?}");
        }
    }
}
