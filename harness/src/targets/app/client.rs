//! An application over HTTP: `session-server`, as its own users see it. Each lane has one keep-alive connection; a
//! session is reached with the cookie that the application issued for it.
//!
//! | operation | request | without an answer it is |
//! |---|---|---|
//! | create | POST /api/game/session | unknown |
//! | append | POST /api/game/answer; the operation's token is the question's number | unknown |
//! | read | GET /api/game/results | unknown |
//! | destroy | DELETE /api/game/session | unknown |
//! | award | POST /api/game/award; the operation's token is the claim | unknown |
//!
//! A session whose create was never answered has no cookie: its requests are sent without one, like its user's would
//! be, and get "no such session".

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use firedrill_storage::refusal_in_words;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderValue, SET_COOKIE};
use hyper::{Method, Request};
use serde::Deserialize;

use super::super::http::connection::{Connection, Failure, Reply};
use super::sessions::Sessions;
use crate::history::{Cause, OpKind, Outcome, Presence};
use crate::target::{Client, Observation, Operation};

/// Names the store that answered: `primary` or `fallback`.
const SERVED_BY: &str = "x-served-by";

/// An application, and the cookies it has issued.
pub(super) struct Application {
    address: SocketAddr,
    host: HeaderValue,
    sessions: Sessions,
    requests: Arc<AtomicU64>,
}

impl Application {
    /// The application that listens, or will listen, on `address`; `requests` counts the requests to it.
    pub fn new(address: SocketAddr, requests: Arc<AtomicU64>) -> Self {
        let host = HeaderValue::from_str(&address.to_string()).unwrap_or(HeaderValue::from_static("localhost"));
        Self { address, host, sessions: Sessions::default(), requests }
    }
}

/// One lane to an application.
pub struct AppClient {
    application: Arc<Application>,
    connection: Connection,
}

impl AppClient {
    /// The operations that an application offers to its users.
    pub const OPERATIONS: &'static [OpKind] =
        &[OpKind::Create, OpKind::Read, OpKind::Append, OpKind::Destroy, OpKind::Award];

    /// Creates a lane to `application`.
    pub(super) fn to(application: &Arc<Application>) -> Self {
        Self { application: Arc::clone(application), connection: Connection::to(application.address) }
    }
}

impl Client for AppClient {
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        let Some(request) = self.request(op) else {
            seen.cause = Cause::Refused;
            return Outcome::Failed;
        };
        self.application.requests.fetch_add(1, Relaxed);
        match self.connection.call(request).await {
            Ok(reply) => self.observe(op, &reply, seen),
            Err(failure) => {
                let (cause, outcome) = match failure {
                    Failure::Unreachable => (Cause::Unreachable, Outcome::Failed),
                    Failure::Unsent => (Cause::ConnectionLost, Outcome::Failed),
                    Failure::Lost => (Cause::ConnectionLost, Outcome::Unknown),
                };
                seen.cause = cause;
                outcome
            }
        }
    }
}

impl AppClient {
    /// The request for `op`; `None` for an operation that applications do not offer.
    fn request(&self, op: &Operation) -> Option<Request<Full<Bytes>>> {
        let (method, path, body) = match op.kind {
            OpKind::Create => {
                let body = format!(r#"{{"userId":{},"bytes":{}}}"#, op.session, op.payload_bytes);
                (Method::POST, "/api/game/session", body)
            }
            OpKind::Append => {
                (Method::POST, "/api/game/answer", format!(r#"{{"questionId":{},"answer":0}}"#, op.token()))
            }
            OpKind::Read => (Method::GET, "/api/game/results", String::new()),
            OpKind::Destroy => (Method::DELETE, "/api/game/session", String::new()),
            OpKind::Award => (Method::POST, "/api/game/award", format!(r#"{{"claim":"{}"}}"#, op.token())),
            _ => return None,
        };
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = hyper::Uri::from_static(path);
        let headers = request.headers_mut();
        headers.insert(HOST, self.application.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if op.kind != OpKind::Create
            && let Some(cookie) = self.application.sessions.cookie(op.session)
        {
            headers.insert(COOKIE, cookie);
        }
        Some(request)
    }

    fn observe(&self, op: &Operation, reply: &Reply, seen: &mut Observation) -> Outcome {
        if !reply.status.is_success() {
            return refused(reply, seen);
        }
        if !self.understand(op, reply, seen) {
            seen.clear();
            seen.cause = Cause::Corrupt;
            return Outcome::Unknown;
        }
        match reply.headers.get(SERVED_BY) {
            Some(who) if who == "fallback" => {
                seen.cause = Cause::Fallback;
                Outcome::Degraded
            }
            _ => Outcome::Ok,
        }
    }

    /// Reads a successful answer; `false` if a required part is missing.
    fn understand(&self, op: &Operation, reply: &Reply, seen: &mut Observation) -> bool {
        match op.kind {
            OpKind::Create => {
                let begun = serde_json::from_slice::<Begun>(&reply.body).ok();
                let Some((begun, cookie)) = begun.zip(cookie(reply)) else { return false };
                self.application.sessions.learn(op.session, begun.session_id, cookie);
                seen.presence = Presence::Present;
                true
            }
            OpKind::Read => {
                let Ok(results) = serde_json::from_slice::<Results>(&reply.body) else { return false };
                seen.presence = Presence::Present;
                seen.version = results.version;
                seen.owner = self.application.sessions.number(&results.session_id);
                seen.tokens.extend(results.answers.iter().map(|answer| answer.question));
                true
            }
            OpKind::Append => {
                seen.presence = Presence::Present;
                true
            }
            OpKind::Award => {
                let Ok(award) = serde_json::from_slice::<Award>(&reply.body) else { return false };
                seen.presence = Presence::Present;
                // If the reward belongs to another user, the application does not say to whom.
                seen.tokens.extend((award.awarded || award.pending).then(|| op.token()));
                true
            }
            // The answer to a destroy is the same whether the session existed or not.
            _ => true,
        }
    }
}

/// The part of a game's start that a drill needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    session_id: String,
}

/// The part of a game's state that a drill needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Results {
    session_id: String,
    #[serde(default)]
    version: u64,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    question: u64,
}

/// The result of a claim: the reward is the claimant's, may become theirs, or is another user's.
#[derive(Deserialize)]
struct Award {
    awarded: bool,
    #[serde(default)]
    pending: bool,
}

/// The cookie set by an answer, in the form in which the next request must send it.
fn cookie(reply: &Reply) -> Option<HeaderValue> {
    let set = reply.headers.get(SET_COOKIE)?.as_bytes();
    let pair = set.split(|byte| *byte == b';').next()?;
    HeaderValue::from_bytes(pair).ok()
}

/// The application's explanation when it refuses a request.
#[derive(Deserialize)]
struct Refusal {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    /// Redis's own message, if Redis refused.
    refusal: Option<String>,
    /// `none` or `unknown`: whether the request may have taken effect anyway.
    effect: Option<String>,
}

/// Handles an unsuccessful answer: either the session does not exist, or the error has a class and may have taken
/// effect anyway.
fn refused(reply: &Reply, seen: &mut Observation) -> Outcome {
    let reason = serde_json::from_slice::<Refusal>(&reply.body).ok().map(|refusal| refusal.error);
    let code = reason.as_ref().map_or("", |reason| reason.code.as_str());
    seen.cause = match code {
        "session_not_found" | "no_cookie" => {
            // Not an error: a healthy application says so truthfully.
            seen.presence = Presence::Absent;
            return Outcome::Ok;
        }
        "store_timeout" => Cause::Timeout,
        "store_connection_lost" => Cause::ConnectionLost,
        "store_unavailable" => Cause::Unreachable,
        "version_conflict" => Cause::Conflict,
        "session_exists" => Cause::AlreadyExists,
        "session_unreadable" => Cause::Corrupt,
        "store_refused" => {
            seen.refusal = reason.as_ref().and_then(|reason| reason.refusal.as_deref()).map(refusal_in_words);
            Cause::Refused
        }
        _ => Cause::Refused,
    };
    match reason.and_then(|reason| reason.effect).as_deref() {
        Some("none") => Outcome::Failed,
        Some(_) => Outcome::Unknown,
        // An application that failed half-way does not say how far it got.
        None if reply.status.is_server_error() => Outcome::Unknown,
        None => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::StatusCode;

    use crate::history::Token;

    fn reply(status: u16, served_by: &str, body: &str) -> Reply {
        let mut headers = hyper::HeaderMap::new();
        headers.insert(SERVED_BY, HeaderValue::from_str(served_by).unwrap());
        headers.insert(SET_COOKIE, HeaderValue::from_static("sid=abc%3D; HttpOnly; Path=/; Max-Age=3600"));
        Reply { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from(body.to_owned()) }
    }

    fn operation(kind: OpKind) -> Operation {
        Operation { index: 41, kind, session: 7, process: 7, payload_bytes: 1_000 }
    }

    fn client() -> AppClient {
        AppClient::to(&Arc::new(Application::new(SocketAddr::from(([127, 0, 0, 1], 1)), Arc::default())))
    }

    /// The outcome of one reply, and what was observed in it.
    fn observed(client: &AppClient, kind: OpKind, reply: &Reply) -> (Outcome, Observation) {
        let mut seen = Observation::default();
        let outcome = client.observe(&operation(kind), reply, &mut seen);
        (outcome, seen)
    }

    #[test]
    fn a_session_is_reached_by_the_cookie_that_was_given_out_for_it() {
        let client = client();
        assert!(client.request(&operation(OpKind::Read)).unwrap().headers().get(COOKIE).is_none());
        let begun = reply(201, "primary", r#"{"sessionId":"s-1","questions":[]}"#);
        assert_eq!(observed(&client, OpKind::Create, &begun).0, Outcome::Ok);
        let read = client.request(&operation(OpKind::Read)).unwrap();
        assert_eq!(read.headers()[COOKIE], "sid=abc%3D");
    }

    #[test]
    fn every_operation_that_is_offered_has_a_request_and_no_other_has() {
        let client = client();
        for kind in OpKind::ALL {
            assert_eq!(client.request(&operation(kind)).is_some(), AppClient::OPERATIONS.contains(&kind), "{kind:?}");
        }
    }

    #[test]
    fn results_show_the_tokens_the_version_and_whose_session_they_are() {
        let client = client();
        observed(&client, OpKind::Create, &reply(201, "primary", r#"{"sessionId":"s-1","questions":[]}"#));
        let results = r#"{"sessionId":"s-1","version":3,"answers":[{"question":5,"score":0},{"question":42}]}"#;
        let (outcome, seen) = observed(&client, OpKind::Read, &reply(200, "fallback", results));
        assert_eq!((outcome, seen.cause, seen.version), (Outcome::Degraded, Cause::Fallback, 3));
        assert_eq!((seen.owner, seen.tokens), (Some(7), vec![5 as Token, 42]));
        let (outcome, seen) = observed(&client, OpKind::Read, &reply(200, "primary", "[]"));
        assert_eq!((outcome, seen.cause), (Outcome::Unknown, Cause::Corrupt));
    }

    #[test]
    fn a_claim_carries_the_operations_token_and_shows_it_where_it_is_granted() {
        let client = client();
        let claim = client.request(&operation(OpKind::Award)).unwrap();
        assert_eq!((claim.method(), claim.uri().path()), (&Method::POST, "/api/game/award"));
        assert_eq!(claim.headers()[CONTENT_TYPE], "application/json");
        let claimed = |status, served_by: &str, body: &str| {
            let (outcome, seen) = observed(&client, OpKind::Award, &reply(status, served_by, body));
            (outcome, seen.tokens)
        };
        assert_eq!(claimed(200, "primary", r#"{"awarded":true,"claim":"42"}"#), (Outcome::Ok, vec![42]));
        let pending = r#"{"awarded":false,"pending":true,"claim":"42"}"#;
        assert_eq!(claimed(202, "fallback", pending), (Outcome::Degraded, vec![42]));
        assert_eq!(claimed(200, "primary", r#"{"awarded":false}"#), (Outcome::Ok, vec![]));
        assert_eq!(claimed(200, "primary", "{}").0, Outcome::Unknown);
    }

    #[test]
    fn an_error_counts_by_what_it_says_of_its_effect() {
        let client = client();
        let error = |status, code: &str, effect: &str| {
            let body = format!(r#"{{"error":{{"code":"{code}","message":"…"{effect}}}}}"#);
            let (outcome, seen) = observed(&client, OpKind::Append, &reply(status, "primary", &body));
            (outcome, seen.cause, seen.presence)
        };
        let none = r#","effect":"none""#;
        let unknown = r#","effect":"unknown""#;
        let unsaid = Presence::Unsaid;
        assert_eq!(error(503, "store_unavailable", none), (Outcome::Failed, Cause::Unreachable, unsaid));
        assert_eq!(error(503, "store_timeout", unknown), (Outcome::Unknown, Cause::Timeout, unsaid));
        assert_eq!(error(500, "session_unreadable", none), (Outcome::Failed, Cause::Corrupt, unsaid));
        assert_eq!(error(500, "panic", ""), (Outcome::Unknown, Cause::Refused, unsaid));
        assert_eq!(error(400, "bad_request", ""), (Outcome::Failed, Cause::Refused, unsaid));
        assert_eq!(error(404, "no_such_path", ""), (Outcome::Failed, Cause::Refused, unsaid));
        let words = r#"{"error":{"code":"store_refused","message":"…","effect":"none","refusal":"OOM no memory"}}"#;
        let (_, seen) = observed(&client, OpKind::Append, &reply(503, "primary", words));
        assert_eq!((seen.cause, seen.refusal.as_deref()), (Cause::Refused, Some("OOM no memory")));
        for (status, code) in [(404, "session_not_found"), (401, "no_cookie")] {
            assert_eq!(error(status, code, none), (Outcome::Ok, Cause::None, Presence::Absent));
        }
    }
}
