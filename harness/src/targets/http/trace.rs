//! Requests and answers as a person reads them, when one session is walked through.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{COOKIE, LOCATION, SET_COOKIE};

use super::super::walked::Exchange;
use super::connection::Reply;

/// How much of an answer's body is shown, in bytes.
const SHOWN: usize = 200;

/// The exchanges of an operation, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace(pub(super) Vec<Exchange>);

impl Trace {
    pub(super) fn push(&mut self, exchange: Exchange) {
        self.0.push(exchange);
    }

    pub(super) fn captured(&mut self, name: &str, value: &str) {
        if let Some(last) = self.0.last_mut() {
            last.captured.push((name.to_owned(), beginning(value.as_bytes())));
        }
    }
}

impl Exchange {
    /// The request of a step, with its body.
    pub(super) fn of(number: usize, request: &Request<Full<Bytes>>, body: &str) -> Self {
        let cookies = request.headers().get(COOKIE).and_then(|value| value.to_str().ok());
        // A cookie's value opens a session: its name says enough.
        let names = cookies.map(|cookies| {
            let names: Vec<&str> = cookies.split("; ").filter_map(|pair| pair.split('=').next()).collect();
            format!("cookie {}", names.join(", "))
        });
        let body = (!body.is_empty()).then(|| beginning(body.as_bytes()));
        Self {
            step: number + 1,
            request: format!("{} {}", request.method(), request.uri()),
            with: names.into_iter().chain(body).collect(),
            answer: Vec::new(),
            captured: Vec::new(),
        }
    }

    pub(super) fn answered(&mut self, reply: &Reply) {
        self.answer.push(reply.status.to_string());
        if let Some(location) = reply.headers.get(LOCATION) {
            self.answer.push(format!("location {}", beginning(location.as_bytes())));
        }
        for cookie in reply.headers.get_all(SET_COOKIE) {
            let text = String::from_utf8_lossy(cookie.as_bytes()).into_owned();
            let (pair, attributes) =
                text.split_once(';').map_or((text.as_str(), ""), |(pair, rest)| (pair, rest.trim()));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = if value.is_empty() { "" } else { "…" };
            self.answer.push(format!("set-cookie {name}={value}; {attributes}"));
        }
        if !reply.body.is_empty() {
            self.answer.push(beginning(&reply.body));
        }
    }
}

/// The first 200 bytes of a text, on one line.
pub(super) fn beginning(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    let mut shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if bytes.len() > SHOWN {
        shown.push('…');
    }
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn an_exchange_is_shown_without_what_opens_the_session() {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = "/cart".parse().unwrap();
        request.headers_mut().insert(COOKIE, HeaderValue::from_static("sid=s3cret; lang=en"));
        let mut exchange = Exchange::of(0, &request, "item=5");
        let mut headers = HeaderMap::new();
        headers.insert(SET_COOKIE, HeaderValue::from_static("sid=s3cret; Path=/"));
        let body = Bytes::from(format!("a\nb{}", "c".repeat(500)));
        exchange.answered(&Reply { status: StatusCode::OK, headers, body });
        assert_eq!((exchange.step, exchange.request.as_str()), (1, "GET /cart"));
        assert_eq!(exchange.with, ["cookie sid, lang", "item=5"]);
        assert_eq!(exchange.answer[..2], ["200 OK", "set-cookie sid=…; Path=/"]);
        assert!(exchange.answer[2].starts_with("a bccc") && exchange.answer[2].chars().count() == 201);
        assert!(!format!("{exchange:?}").contains("s3cret"));
    }
}
