//! Serves pages on the loopback address. Only requests that have the token in their URL get one, and no other site's page may
//! make such a request.

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
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;

pub use self::guard::objection;
pub use self::token::Token;
use crate::proxy::http::{Limits, serve};

/// A browser opens up to six connections, and keeps them.
const LIMITS: Limits = Limits { clients: 32, patience: Duration::from_secs(30) };

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
        answer_on(listener, move |head| permitted(&*site, &token, address, head)).await;
    }
}

/// Answers what is asked on `listener` until the runtime ends. Bodies of requests are not read.
pub async fn answer_on(listener: TcpListener, answer: impl Fn(&Parts) -> Answer + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    let service = service_fn(move |request: Request<Incoming>| {
        std::future::ready(Ok::<_, Infallible>(answer(&request.into_parts().0)))
    });
    serve(listener, service, LIMITS).await;
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
    fn a_page_needs_the_token_in_its_url_and_is_never_cached() {
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
