//! One lane to an application: an operation's steps, one after the other, and what their answers make of it.
//!
//! | what happens | outcome |
//! |---|---|
//! | the step that commits has the expected status, and its whole body arrived | ok |
//! | an answer that `absent` describes | ok, and the session is absent |
//! | no connection, or it broke before a byte of the committing step was sent; a step before it went wrong | failed |
//! | a status in `refused` | failed |
//! | anything else: another status, a cut connection, part of a body, a capture that finds nothing | unknown |

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{COOKIE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};

use super::super::walked::Exchange;
use super::connection::{Connection, Failure, Reply};
use super::program::{BODY_TYPE, Op, Program, Says, Step};
use super::redirect;
use super::sessions::{Session, Sessions};
use super::template::Values;
use super::trace::{Trace, beginning};
use crate::history::{Cause, OpKind, Outcome, Presence};
use crate::ids;
use crate::lab::AppProcess;
use crate::target::{Client, Observation, Operation};

/// An application, what it is asked, and what is known of its sessions.
pub(super) struct Application {
    /// At least one.
    pub(super) instances: Vec<Instance>,
    /// The host that every instance is asked for: a load balancer passes on the name that the browser knows.
    pub(super) host: SocketAddr,
    pub(super) program: Program,
    pub(super) sessions: Sessions,
    pub(super) seed: u64,
    /// Never shown.
    pub(super) secrets: Vec<String>,
}

/// One of the processes that serve an application.
pub(super) struct Instance {
    pub(super) address: SocketAddr,
    pub(super) requests: Arc<AtomicU64>,
}

impl Instance {
    pub(super) fn of(app: &AppProcess) -> Self {
        Self { address: app.address(), requests: app.requests().clone() }
    }
}

/// One lane to an application.
pub struct HttpClient {
    application: Arc<Application>,
    /// One to each instance.
    connections: Vec<Connection>,
    /// Keeps every request and answer, where somebody looks.
    pub(super) trace: Option<Trace>,
}

/// Why a step did not do what it should.
enum Trouble {
    /// There is no answer.
    Unanswered(Failure),
    /// The answer is not the expected one.
    Unexpected(Says, u16, String),
    /// The request cannot be made.
    Unmade(String),
    /// A value is not in the answer.
    Missing(String),
    /// The answer is that there is no such session; a fallback may have given it.
    Absent { degraded: bool },
}

impl HttpClient {
    pub(super) fn to(application: &Arc<Application>) -> Self {
        let connections = application.instances.iter().map(|instance| Connection::to(instance.address)).collect();
        Self { application: Arc::clone(application), connections, trace: None }
    }
}

impl Client for HttpClient {
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        let application = Arc::clone(&self.application);
        let Some(described) = application.program.op(op.kind) else {
            return seen.failed(Cause::Refused);
        };
        let made = application.sessions.with(op.session, |session| match op.kind {
            OpKind::Create => {
                *session = Session::default();
                true
            }
            kind => {
                session.left |= kind == OpKind::Destroy && session.made;
                session.made
            }
        });
        if !made {
            return self.without_session(op, seen).await;
        }
        for (number, step) in described.steps.iter().enumerate() {
            let last = number + 1 == described.steps.len();
            if let Err(trouble) = self.step(described, number, step, last, op, seen).await {
                return self.settle(trouble, number, described, op, seen);
            }
        }
        match op.kind {
            OpKind::Create => application.sessions.with(op.session, |session| session.made = true),
            // What the answer to a logout says of the session before it differs between applications.
            OpKind::Destroy => return seen.outcome(),
            _ => {}
        }
        seen.presence = Presence::Present;
        seen.outcome()
    }
}

impl HttpClient {
    /// An operation of a user whose create was not acknowledged: it asks with the steps of a read, without a cookie. A write
    /// without a cookie could make a session at the application, two of them two sessions, and what one of them holds would
    /// seem lost. Whatever the application shows to nobody in particular is not this session.
    async fn without_session(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        let application = Arc::clone(&self.application);
        let Some(read) = application.program.op(OpKind::Read) else { return seen.failed(Cause::Refused) };
        for (number, step) in read.steps.iter().enumerate() {
            match self.step(read, number, step, false, op, seen).await {
                Ok(()) => {}
                // A value of the create that never came: without a session there is nothing to ask for.
                Err(Trouble::Absent { .. } | Trouble::Unmade(_)) => break,
                Err(trouble) => {
                    // Nothing of the operation itself was sent.
                    self.settle(trouble, number, read, op, seen);
                    return seen.failed(seen.cause);
                }
            }
        }
        seen.answered(false)
    }

    async fn step(
        &mut self,
        described: &Op,
        number: usize,
        step: &Step,
        last: bool,
        op: &Operation,
        seen: &mut Observation,
    ) -> Result<(), Trouble> {
        let application = Arc::clone(&self.application);
        let (mut request, mut path, mut body) = application.request(step, op).map_err(Trouble::Unmade)?;
        let mut hops = 0;
        let (sent, reply) = loop {
            let (sent, answer) = self.exchange(number, request, &body, op).await;
            // What a redirect answered was carried out, whatever becomes of the page that it leads to.
            let reply = answer.map_err(|failure| if hops == 0 { failure } else { Failure::Lost });
            let reply = reply.map_err(Trouble::Unanswered)?;
            if !step.follow || described.denies(&reply) || !redirect::is_one(&reply) {
                break (sent, reply);
            }
            hops += 1;
            let to = redirect::target(&reply, &path).map_err(Trouble::Missing)?;
            if hops > redirect::MOST {
                return Err(Trouble::Missing(format!("more than {} redirects, the last to {to}", redirect::MOST)));
            }
            application.keep_cookies(op, &path, sent, &reply);
            let again = redirect::repeats(&reply);
            (request, path) =
                (application.redirected(step, op, &to, again.then_some(&body)).map_err(Trouble::Missing)?, to);
            if !again {
                body = String::new();
            }
        };
        match described.says(step, &reply) {
            Says::Done => {}
            Says::Absent => return Err(Trouble::Absent { degraded: described.is_degraded(&reply) }),
            says => {
                let says = if hops > 0 { Says::Anything } else { says };
                let status = reply.status.as_u16();
                let text = format!("{status} to {} {path}, not {}", step.method, step.expected());
                return Err(Trouble::Unexpected(says, status, format!("{text}: {}", beginning(&reply.body))));
            }
        }
        application.learn(op, step, &path, sent, &reply, self.trace.as_mut()).map_err(Trouble::Missing)?;
        if last {
            described.observe(&reply, seen).map_err(|error| {
                Trouble::Missing(format!(
                    "{error}, in the answer to {} {path}: {}",
                    step.method,
                    beginning(&reply.body)
                ))
            })?;
        }
        Ok(())
    }

    /// Sends a request to the instance that carries the operation, and keeps what was said if somebody looks.
    async fn exchange(
        &mut self,
        number: usize,
        request: Request<Full<Bytes>>,
        body: &str,
        op: &Operation,
    ) -> (u64, Result<Reply, Failure>) {
        let exchange = self.trace.is_some().then(|| Exchange::of(number, &request, body));
        let sent = self.application.sessions.next_request();
        // In front of several instances, the plan's process is the instance.
        let at = op.process as usize % self.application.instances.len();
        self.application.instances[at].requests.fetch_add(1, Relaxed);
        let answer = self.connections[at].call(request).await;
        if let (Some(trace), Some(mut exchange)) = (&mut self.trace, exchange) {
            if let Ok(reply) = &answer {
                exchange.answered(reply);
            }
            trace.push(exchange);
        }
        (sent, answer)
    }

    fn settle(
        &self,
        trouble: Trouble,
        number: usize,
        described: &Op,
        op: &Operation,
        seen: &mut Observation,
    ) -> Outcome {
        let step = number + 1;
        let mut tell = |code: &str, text: String| {
            let text = self.application.without_secrets(&text);
            // Its first word is its class.
            seen.refusal = Some(format!("{}:{code} step {step}: {text}", op.kind.name()));
        };
        let (cause, certain) = match trouble {
            Trouble::Absent { degraded } => {
                seen.presence = Presence::Absent;
                return if degraded { seen.degraded() } else { Outcome::Ok };
            }
            Trouble::Unanswered(Failure::Unreachable) => (Cause::Unreachable, true),
            Trouble::Unanswered(Failure::Unsent) => (Cause::ConnectionLost, true),
            Trouble::Unanswered(Failure::Lost) => (Cause::ConnectionLost, false),
            Trouble::Unexpected(says, status, text) => {
                tell(&status.to_string(), text);
                (Cause::Refused, says == Says::Refused)
            }
            Trouble::Unmade(text) => {
                tell("unsent", text);
                (Cause::Corrupt, true)
            }
            Trouble::Missing(text) => {
                tell("missing", text);
                (Cause::Corrupt, false)
            }
        };
        seen.tokens.clear();
        seen.owner = None;
        // Before the step that commits nothing has an effect, and after it everything may have had one.
        if number < described.commit || (number == described.commit && certain) {
            seen.failed(cause)
        } else {
            seen.unknown(cause)
        }
    }
}

impl Op {
    /// Reads what the last answer shows.
    fn observe(&self, reply: &Reply, seen: &mut Observation) -> Result<(), String> {
        let number = |text: String, what: &str| -> Result<u64, String> {
            let not = || format!("the {what} `{}` is not one that this drill wrote", beginning(text.as_bytes()));
            text.trim().parse().map_err(|_| not())
        };
        if let Some(tokens) = &self.tokens {
            for text in tokens.all(reply).map_err(|error| format!("tokens: {error}"))? {
                seen.tokens.push(number(text, "token")?);
            }
        }
        if self.is_degraded(reply) {
            seen.degraded();
        }
        if let Some(owner) = &self.owner {
            let text = owner.one(reply).map_err(|error| format!("owner: {error}"))?;
            let owner = number(text, "owner")?;
            seen.owner = Some(u32::try_from(owner).map_err(|_| "the owner is not a session of this drill".to_owned())?);
        }
        Ok(())
    }
}

impl Application {
    /// The request of `step`, its path, and its body for people.
    fn request(&self, step: &Step, op: &Operation) -> Result<(Request<Full<Bytes>>, String, String), String> {
        let trusted = self.host.ip().is_loopback();
        let (path, headers, body, cookies) = self.sessions.with(op.session, |session| {
            let values = Filling { op, seed: self.seed, session };
            let path = step.path.render(&values)?;
            let headers = step.headers.iter().map(|(name, value)| Ok((name, value.render(&values)?)));
            let headers = headers.collect::<Result<Vec<_>, String>>()?;
            let body = step.body.render(&values)?;
            let cookies = session.jar.header(&path, trusted, Instant::now());
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
    fn redirected(
        &self,
        step: &Step,
        op: &Operation,
        to: &str,
        again: Option<&String>,
    ) -> Result<Request<Full<Bytes>>, String> {
        let trusted = self.host.ip().is_loopback();
        let (cookies, kind) = self.sessions.with(op.session, |session| {
            let kind = step.body.render(&Filling { op, seed: self.seed, session }).ok().flatten().map(|(kind, _)| kind);
            (session.jar.header(to, trusted, Instant::now()), kind)
        });
        let Some(body) = again else { return self.plain(&Method::GET, to, String::new(), cookies) };
        let mut request = self.plain(&step.method, to, body.clone(), cookies)?;
        if let Some(kind) = kind {
            request.headers_mut().insert(BODY_TYPE, fit(&kind)?);
        }
        Ok(request)
    }

    /// Keeps the cookies of an answer, as a browser does.
    fn keep_cookies(&self, op: &Operation, path: &str, sent: u64, reply: &Reply) {
        self.sessions.with(op.session, |session| session.keep_cookies(op, path, sent, reply));
    }

    /// Keeps the cookies and captures of an answer.
    fn learn(
        &self,
        op: &Operation,
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
        self.sessions.with(op.session, |session| {
            if session.made || op.kind == OpKind::Create {
                session.captured.extend(captured);
            }
            session.keep_cookies(op, path, sent, reply);
        });
        Ok(())
    }

    /// `text` with secrets blanked.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

fn fit(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| "a value does not fit into a header".to_owned())
}

/// The values of a request.
struct Filling<'s> {
    op: &'s Operation,
    seed: u64,
    session: &'s Session,
}

impl Values for Filling<'_> {
    fn put(&self, name: &str, out: &mut String) -> bool {
        match name {
            "session" => write!(out, "{}", self.op.session).is_ok(),
            "id" => write!(out, "{}", ids::session_id(self.seed, self.op.session)).is_ok(),
            "seed" => write!(out, "{}", self.seed).is_ok(),
            "token" => write!(out, "{}", self.op.token()).is_ok(),
            "bytes" => write!(out, "{}", self.op.payload_bytes).is_ok(),
            "payload" => {
                out.extend(std::iter::repeat_n('x', self.op.payload_bytes as usize));
                true
            }
            name => match self.session.captured.get(name) {
                Some(value) => {
                    out.push_str(value);
                    true
                }
                None => false,
            },
        }
    }
}
