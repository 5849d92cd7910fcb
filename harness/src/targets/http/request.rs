//! What is sent to an application, filled with the values of its session, and what is kept of the answers.

use std::fmt::Write as _;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{COOKIE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};

use super::client::{Application, Turn};
use super::connection::Reply;
use super::program::{BODY_TYPE, Step};
use super::sessions::{Captured, Held};
use super::template::Values;
use super::trace::{Trace, beginning};
use crate::ids;
use crate::secret::BLANK;
use crate::target::Operation;

impl Application {
    /// The request of `step`, its path, and its body for people.
    pub(super) fn request(
        &self,
        step: &Step,
        turn: &Turn<'_>,
    ) -> Result<(Request<Full<Bytes>>, String, String), String> {
        let trusted = self.host.ip().is_loopback();
        let (path, headers, body, cookies) = self.filled(turn, |values| {
            let path = step.path.render(values)?;
            let headers = step.headers.iter().map(|(name, value)| Ok((name, value.render(values)?)));
            let headers = headers.collect::<Result<Vec<_>, String>>()?;
            let body = step.body.render(values)?;
            let cookies = values.held.jar.header(&path, trusted, Instant::now());
            Ok::<_, String>((path, headers, body, cookies))
        })?;
        let text = body.as_ref().map(|(_, text)| text.clone()).unwrap_or_default();
        let mut request = self.plain(&step.method, &path, text.clone(), cookies)?;
        let kept = request.headers_mut();
        if let Some((kind, _)) = body {
            kept.insert(BODY_TYPE, fit(&kind)?);
        }
        for (name, value) in headers {
            kept.insert(name.clone(), fit(&value)?);
        }
        Ok((request, path, text))
    }

    /// A request without the headers of its step.
    fn plain(
        &self,
        method: &Method,
        path: &str,
        body: String,
        cookies: Option<String>,
    ) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.parse::<Uri>().map_err(|_| format!("`{path}` is not a path"))?;
        let kept = request.headers_mut();
        kept.insert(HOST, fit(&self.host.to_string())?);
        if let Some(cookies) = cookies {
            kept.insert(COOKIE, fit(&cookies)?);
        }
        Ok(request)
    }

    /// The request to which an answer to `step` led: a GET, or the same again with its body.
    pub(super) fn redirected(
        &self,
        step: &Step,
        turn: &Turn<'_>,
        to: &str,
        again: Option<&String>,
    ) -> Result<Request<Full<Bytes>>, String> {
        let trusted = self.host.ip().is_loopback();
        let (cookies, kind) = self.filled(turn, |values| {
            let kind = step.body.render(values).ok().flatten().map(|(kind, _)| kind);
            (values.held.jar.header(to, trusted, Instant::now()), kind)
        });
        let Some(body) = again else { return self.plain(&Method::GET, to, String::new(), cookies) };
        let mut request = self.plain(&step.method, to, body.clone(), cookies)?;
        if let Some(kind) = kind {
            request.headers_mut().insert(BODY_TYPE, fit(&kind)?);
        }
        Ok(request)
    }

    /// Keeps the cookies of an answer, as a browser does.
    pub(super) fn keep_cookies(&self, turn: &Turn<'_>, path: &str, sent: u64, reply: &Reply) {
        self.sessions.with(turn.op.session, |session| session.keep(&turn.taken, path, sent, reply, Captured::new()));
    }

    /// Keeps the cookies and captures of an answer.
    pub(super) fn learn(
        &self,
        turn: &Turn<'_>,
        step: &Step,
        path: &str,
        sent: u64,
        reply: &Reply,
        mut trace: Option<&mut Trace>,
    ) -> Result<(), String> {
        let mut captured = Vec::with_capacity(step.captures.len());
        for (name, extract) in &step.captures {
            let value = extract.one(reply).map_err(|error| {
                format!("{name}: {error}, in the answer to {} {path}: {}", step.method, beginning(&reply.body))
            })?;
            if let Some(trace) = trace.as_deref_mut() {
                trace.captured(name, &value);
            }
            captured.push((name.clone(), value));
        }
        self.sessions.with(turn.op.session, |session| session.keep(&turn.taken, path, sent, reply, captured));
        Ok(())
    }

    /// Lets `use_them` have the values of a request.
    fn filled<T>(&self, turn: &Turn<'_>, use_them: impl FnOnce(&Filling<'_>) -> T) -> T {
        let (op, user, nothing) = (turn.op, self.sessions.user_of(turn.op.session), Held::default());
        self.sessions.with(op.session, |session| {
            use_them(&Filling { op, user, seed: self.seed, held: session.held(op.kind).unwrap_or(&nothing) })
        })
    }

    /// `text` with secrets blanked.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), BLANK))
    }
}

fn fit(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| "a value does not fit into a header".to_owned())
}

/// The values of a request.
struct Filling<'s> {
    op: &'s Operation,
    user: u32,
    seed: u64,
    held: &'s Held,
}

impl Values for Filling<'_> {
    fn put(&self, name: &str, out: &mut String) -> bool {
        match name {
            "session" => write!(out, "{}", self.op.session).is_ok(),
            "user" => write!(out, "{}", self.user).is_ok(),
            "id" => write!(out, "{}", ids::session_id(self.seed, self.op.session)).is_ok(),
            "seed" => write!(out, "{}", self.seed).is_ok(),
            "token" => write!(out, "{}", self.op.token()).is_ok(),
            "bytes" => write!(out, "{}", self.op.payload_bytes).is_ok(),
            "payload" => {
                out.extend(std::iter::repeat_n('x', self.op.payload_bytes as usize));
                true
            }
            name => match self.held.captured.get(name) {
                Some(value) => {
                    out.push_str(value);
                    true
                }
                None => false,
            },
        }
    }
}
