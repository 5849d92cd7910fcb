//! One lane to an application: an operation's steps, one after the other, and what their answers make of it.
//!
//! | what happens | outcome |
//! |---|---|
//! | the step that commits has the expected status, and its whole body arrived | ok |
//! | an answer that `absent` describes | ok, and the session is absent |
//! | no connection, or it broke before a byte of the committing step was sent; a step before it went wrong | failed |
//! | a status in `refused` | failed |
//! | anything else: another status, a cut connection, part of a body, a capture that finds nothing | unknown |
//! | "no such session" to the id that the session had before a renewal which came between | failed |

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use super::super::walked::Exchange;
use super::connection::{Connection, Failure, Reply};
use super::extract::Extract;
use super::program::{Op, Program, Says, Step};
use super::redirect;
use super::sessions::{Renewal, Sessions, Taken};
use super::trace::{Trace, beginning};
use crate::history::{Cause, OpKind, Outcome, Presence};
use crate::lab::AppProcess;
use crate::target::{Client, Observation, Operation};

/// An application, what it is asked, and what is known of its sessions.
pub(super) struct Application {
    /// At least one.
    pub(super) instances: Vec<Instance>,
    /// The host that every instance is asked for: a load balancer passes on the name that the browser knows.
    pub(super) host: SocketAddr,
    pub(super) program: Program,
    pub(super) sessions: Arc<Sessions>,
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

/// An operation, and what it knows of its session.
pub(super) struct Turn<'o> {
    pub(super) op: &'o Operation,
    pub(super) taken: Taken,
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
        let turn = Turn { op, taken: application.sessions.begin(op.kind, op.session) };
        match op.kind {
            OpKind::Create => {}
            _ if !turn.taken.made => return self.without_session(&turn, seen).await,
            OpKind::Renew if turn.taken.renewing => return seen.failed(Cause::Renewed),
            OpKind::Renew if turn.taken.left => return self.without_renewal(&turn, seen).await,
            OpKind::Renew => return self.renew(described, &turn, seen).await,
            OpKind::Revisit => return self.revisit(described, &turn, seen).await,
            _ => {}
        }
        if let Err((trouble, number)) = self.steps(described, &turn, true, seen).await {
            return self.settle(trouble, number, described, &turn, seen);
        }
        match op.kind {
            OpKind::Create => application.sessions.with(op.session, |session| session.made = true),
            // The session lives on under its new id.
            OpKind::Destroy if application.sessions.changed(&turn.taken) => return seen.unknown(Cause::Renewed),
            // What the answer to a logout says of the session before it differs between applications.
            OpKind::Destroy | OpKind::LogoutEverywhere => return seen.outcome(),
            _ => {}
        }
        seen.presence = Presence::Present;
        seen.outcome()
    }
}

impl HttpClient {
    /// Takes the steps of an operation, and reads what the last answer shows if it is wanted. The error has the number of its
    /// step.
    async fn steps(
        &mut self,
        described: &Op,
        turn: &Turn<'_>,
        observe: bool,
        seen: &mut Observation,
    ) -> Result<(), (Trouble, usize)> {
        for (number, step) in described.steps.iter().enumerate() {
            let shows = if observe && number + 1 == described.steps.len() { Some(&mut *seen) } else { None };
            self.step(described, number, step, turn, shows).await.map_err(|trouble| (trouble, number))?;
        }
        Ok(())
    }

    /// An operation of a user whose create was not acknowledged: it asks with the steps of a read, without a cookie. A write
    /// without a cookie could make a session at the application, two of them two sessions, and what one of them holds would
    /// seem lost. Whatever the application shows to nobody in particular is not this session.
    async fn without_session(&mut self, turn: &Turn<'_>, seen: &mut Observation) -> Outcome {
        let application = Arc::clone(&self.application);
        let Some(read) = application.program.op(OpKind::Read) else { return seen.failed(Cause::Refused) };
        match self.steps(read, turn, false, seen).await {
            // A value of the create that never came: without a session there is nothing to ask for.
            Ok(()) | Err((Trouble::Absent { .. } | Trouble::Unmade(_), _)) => seen.answered(false),
            Err((trouble, number)) => {
                // Nothing of the operation itself was sent.
                self.settle(trouble, number, read, turn, seen);
                seen.failed(seen.cause)
            }
        }
    }

    /// A renewal for a user who has logged out: only the look whether the session is there, because a login could begin a
    /// session under the number of the one that ended.
    async fn without_renewal(&mut self, turn: &Turn<'_>, seen: &mut Observation) -> Outcome {
        let application = Arc::clone(&self.application);
        let Some(read) = application.program.op(OpKind::Read) else { return seen.failed(Cause::Refused) };
        match self.steps(read, turn, false, seen).await {
            Ok(()) => seen.failed(Cause::Renewed),
            Err((trouble @ Trouble::Absent { .. }, number)) => self.settle(trouble, number, read, turn, seen),
            Err((trouble, number)) => {
                self.settle(trouble, number, read, turn, seen);
                seen.failed(seen.cause)
            }
        }
    }

    async fn renew(&mut self, described: &Op, turn: &Turn<'_>, seen: &mut Observation) -> Outcome {
        let renewal = Renewal::begin(&self.application.sessions, &turn.taken);
        match self.steps(described, turn, true, seen).await {
            Ok(()) => {
                renewal.acknowledged();
                seen.presence = Presence::Present;
                seen.outcome()
            }
            Err((trouble, number)) => match self.settle(trouble, number, described, turn, seen) {
                // Only the answer that did not come names the new id.
                Outcome::Unknown => seen.unknown(Cause::Renewed),
                outcome => outcome,
            },
        }
    }

    /// Looks for the session with what its browser had before the last renewal. Without one, nothing is looked for.
    async fn revisit(&mut self, described: &Op, turn: &Turn<'_>, seen: &mut Observation) -> Outcome {
        let mut degraded = false;
        let found = match self.steps(described, turn, false, seen).await {
            Ok(()) => true,
            Err((Trouble::Absent { degraded: by_fallback }, _)) => {
                degraded = by_fallback;
                false
            }
            // A value from before that there is not.
            Err((Trouble::Unmade(_), _)) if !turn.taken.renewed => false,
            Err((trouble, number)) => return self.settle(trouble, number, described, turn, seen),
        };
        seen.tokens.extend(turn.taken.renewed.then_some(u64::from(found)));
        if degraded { seen.degraded() } else { seen.outcome() }
    }

    async fn step(
        &mut self,
        described: &Op,
        number: usize,
        step: &Step,
        turn: &Turn<'_>,
        shows: Option<&mut Observation>,
    ) -> Result<(), Trouble> {
        let application = Arc::clone(&self.application);
        let (mut request, mut path, mut body) = application.request(step, turn).map_err(Trouble::Unmade)?;
        let mut hops = 0;
        let (sent, reply) = loop {
            let (sent, answer) = self.exchange(number, request, &body, turn.op).await;
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
            application.keep_cookies(turn, &path, sent, &reply);
            let again = redirect::repeats(&reply);
            (request, path) =
                (application.redirected(step, turn, &to, again.then_some(&body)).map_err(Trouble::Missing)?, to);
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
        application.learn(turn, step, &path, sent, &reply, self.trace.as_mut()).map_err(Trouble::Missing)?;
        if let Some(seen) = shows {
            application.observe(described, turn.op, &reply, seen).map_err(|error| {
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
        turn: &Turn<'_>,
        seen: &mut Observation,
    ) -> Outcome {
        let (step, op) = (number + 1, turn.op);
        let mut tell = |code: &str, text: String| {
            let text = self.application.without_secrets(&text);
            // Its first word is its class.
            seen.refusal = Some(format!("{}:{code} step {step}: {text}", op.kind.name()));
        };
        let (cause, certain) = match trouble {
            // True of the id that this request had, which is not the session's any more.
            Trouble::Absent { .. } if op.kind != OpKind::Renew && self.application.sessions.changed(&turn.taken) => {
                return seen.failed(Cause::Renewed);
            }
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

impl Application {
    /// Reads what the last answer to `op` shows.
    fn observe(&self, described: &Op, op: &Operation, reply: &Reply, seen: &mut Observation) -> Result<(), String> {
        let one = |value: &Extract, what: &str| value.one(reply).map_err(|error| format!("{what}: {error}"));
        if let Some(tokens) = &described.tokens {
            for text in tokens.all(reply).map_err(|error| format!("tokens: {error}"))? {
                seen.tokens.push(written(&text, "token")?);
            }
        }
        for (value, what) in [(&described.count, "count"), (&described.version, "version")] {
            let Some(value) = value else { continue };
            let text = one(value, what)?;
            let not = || format!("the {what} `{}` is no whole number", beginning(text.as_bytes()));
            let number = text.trim().parse().map_err(|_| not())?;
            match what {
                "count" => seen.tokens.push(number),
                _ => seen.version = number,
            }
        }
        seen.tokens.extend(described.is_granted(reply).then(|| op.token()));
        if described.is_degraded(reply) {
            seen.degraded();
        }
        if let Some(owner) = &described.owner {
            let text = one(owner, "owner")?;
            seen.owner = match (self.program.names_sessions(), op.kind) {
                (true, OpKind::Create | OpKind::Renew) => {
                    self.sessions.call(op.session, text);
                    None
                }
                // A name that no answer gave is that of a create without an answer.
                (true, _) => self.sessions.called(&text),
                (false, _) => {
                    let not = |_| "the owner is not a session of this drill".to_owned();
                    Some(u32::try_from(written(&text, "owner")?).map_err(not)?)
                }
            };
        }
        Ok(())
    }
}

/// A number that the drill wrote.
fn written(text: &str, what: &str) -> Result<u64, String> {
    let not = || format!("the {what} `{}` is not one that this drill wrote", beginning(text.as_bytes()));
    text.trim().parse().map_err(|_| not())
}
