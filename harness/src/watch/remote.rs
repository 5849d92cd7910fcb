//! A server that gets what is known of the drills, over HTTP or HTTPS.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The most of an answer that is read.
const LARGEST_ANSWER: usize = 64 << 10;

/// Why a text is not the URL of such a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadRemote {
    /// It is not one at all.
    Url,
    /// It has a user or a password.
    Secret,
    /// The headers, which may hold secrets, would go over a network in clear.
    Clear,
    /// TLS cannot be set up.
    Tls(String),
}

/// A server, and the headers that it gets with each request. Its `Debug` and `Display` show no header.
#[derive(Clone)]
pub(super) struct Remote {
    host: String,
    port: u16,
    /// What stands before the path of a request, without a slash at its end.
    path: String,
    tls: Option<TlsConnector>,
    headers: HeaderMap,
}

impl Remote {
    /// The server at `url`. `https` is verified with the system's CAs. With `headers`, plain `http` must stay on this machine.
    pub(super) fn new(url: &str, headers: HeaderMap) -> Result<Self, BadRemote> {
        // Before anything else: an error shows the URL.
        if url.contains('@') {
            return Err(BadRemote::Secret);
        }
        let parsed: Uri = url.trim().parse().map_err(|_| BadRemote::Url)?;
        let host = parsed.host().filter(|host| !host.is_empty()).ok_or(BadRemote::Url)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let (tls, port) = match parsed.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(verifying()?), 443),
            _ => return Err(BadRemote::Url),
        };
        if parsed.query().is_some() {
            return Err(BadRemote::Url);
        }
        let port = parsed.port_u16().unwrap_or(port);
        let remote = Self { host, port, path: parsed.path().trim_end_matches('/').to_owned(), tls, headers };
        if remote.headers.is_empty() || remote.is_private() { Ok(remote) } else { Err(BadRemote::Clear) }
    }

    /// Whether nobody between here and there can read what is sent.
    fn is_private(&self) -> bool {
        let is_loopback = || self.host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        self.tls.is_some() || self.host == "localhost" || is_loopback()
    }

    /// Sends `body`, which is JSON, and reads the answer.
    ///
    /// # Errors
    /// What went wrong, in words without the headers.
    pub(super) async fn send(&self, method: Method, path: &str, body: String) -> Result<(StatusCode, Bytes), String> {
        match tokio::time::timeout(DEADLINE, self.exchange(method, path, body)).await {
            Ok(answer) => answer.map_err(|error| format!("{self}: {error}")),
            Err(_) => Err(format!("{self}: no answer within {DEADLINE:?}")),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: String) -> Result<(StatusCode, Bytes), String> {
        let stream = TcpStream::connect((&*self.host, self.port)).await.map_err(words)?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.path))
            .body(Full::from(body))
            .map_err(words)?;
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        headers.insert(HOST, self.authority().parse().map_err(words)?);
        headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
        let answer = match &self.tls {
            None => send(TokioIo::new(stream), request).await?,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(words)?;
                send(TokioIo::new(tls.connect(name, stream).await.map_err(words)?), request).await?
            }
        };
        let status = answer.status();
        let read = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(words)?.to_bytes();
        Ok((status, read))
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (&self.tls, self.port) {
            (None, 80) | (Some(_), 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({self})")
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
fn verifying() -> Result<TlsConnector, BadRemote> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    // Named explicitly: another library may have set a different process default, or none.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| BadRemote::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
