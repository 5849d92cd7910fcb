//! Serves pages on the loopback address to whoever knows the token in their URL, and to no web page of others.

mod guard;
mod token;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use self::guard::objection;
pub use self::token::Token;

/// How long a client may take for the head of a request, and for the pause before it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser opens up to six connections, and keeps them.
const CLIENTS: usize = 32;

/// Keeps a page from being kept, framed, or named to where its links lead.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// An answer as a whole.
pub type Answer = Response<Full<Bytes>>;

/// What is served.
pub trait Site: Send + Sync + 'static {
    /// Answers a request for `path`, which is what follows the token: `compare` of `/TOKEN/compare?a=b`. Its body, if any, is
    /// not read.
    fn answer(&self, path: &str, head: &Parts) -> Answer;
}

/// An answer of this type.
pub fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// A short answer in words.
pub fn text(status: StatusCode, words: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", format!("{words}\n"))
}

/// A page.
pub fn page(html: String) -> Answer {
    answer(StatusCode::OK, "text/html; charset=utf-8", html)
}

/// An open port of 127.0.0.1, and who may use it.
pub struct Local {
    listener: TcpListener,
    address: SocketAddr,
    token: Token,
}

impl Local {
    /// Opens `port`; 0 lets the system choose.
    ///
    /// # Errors
    /// The system's, if the port is not available.
    pub async fn open(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, token: Token::fresh() })
    }

    /// The URL of the first page.
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.token.as_str())
    }

    /// Serves `site` until the runtime ends.
    pub async fn serve(self, site: Arc<impl Site>) {
        let Self { listener, address, token } = self;
        let (token, places) = (Arc::new(token), Arc::new(Semaphore::new(CLIENTS)));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let client = match listener.accept().await {
                Ok((client, _)) => client,
                Err(error) => {
                    tracing::warn!(%error, "a client cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            let (site, token) = (site.clone(), token.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = permitted(&*site, &token, address, &request.into_parts().0);
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let mut http = http1::Builder::new();
            let connection = http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
            let connection = connection.serve_connection(TokioIo::new(client), service);
            tokio::spawn(async move {
                // The client caused the error: it left, was too slow, or does not speak HTTP.
                let _ = connection.await;
                drop(place);
            });
        }
    }
}

/// The answer of `site`, if the request may have one.
fn permitted(site: &impl Site, token: &Token, address: SocketAddr, head: &Parts) -> Answer {
    let mut answer = match (objection(head, address), within(head.uri.path(), token)) {
        (Some(reason), _) => text(StatusCode::FORBIDDEN, reason),
        (None, Some(path)) => site.answer(path, head),
        (None, None) => text(StatusCode::NOT_FOUND, "not found: the URL that the command printed has a token in it"),
    };
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// What follows the token in `path`; `None` without the right one.
fn within<'p>(path: &'p str, token: &Token) -> Option<&'p str> {
    let (given, rest) = path.strip_prefix('/')?.split_once('/')?;
    token.is(given).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Site for Echo {
        fn answer(&self, path: &str, _: &Parts) -> Answer {
            text(StatusCode::OK, path)
        }
    }

    #[test]
    fn only_who_knows_the_token_gets_an_answer_and_none_is_kept() {
        let (token, address) = (Token::fresh(), "127.0.0.1:7000".parse().unwrap());
        let ask = |path: &str, host: &str| {
            let head = Request::get(path).header("host", host).body(()).unwrap().into_parts().0;
            let answer = permitted(&Echo, &token, address, &head);
            assert_eq!(answer.headers()["cache-control"], "no-store");
            answer.status().as_u16()
        };
        let own = "127.0.0.1:7000";
        assert_eq!(ask(&format!("/{}/", token.as_str()), own), 200);
        assert_eq!(ask(&format!("/{}/run/a?b=c", token.as_str()), own), 200);
        for wrong in ["/".to_owned(), format!("/{}", token.as_str()), format!("/{}/", Token::fresh().as_str())] {
            assert_eq!(ask(&wrong, own), 404, "{wrong}");
        }
        assert_eq!(ask(&format!("/{}/", token.as_str()), "evil.example:7000"), 403);
    }
}
