//! Plain GET and SET on a Redis with one connection per lane: for comparison with other load generators, and for
//! capacity tests without a store in between.
//!
//! A session is one key. Its value starts with the session's number and the token of the write, so every read shows
//! whose data it got and which write it sees. This is the generator's fast path: bare sockets, reused buffers, one
//! write and one read per operation, and no timer.

mod connection;
mod reply;
mod value;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firedrill_reports::run::Fact;
use firedrill_storage::refusal_in_words;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use self::connection::{Connection, Failure};
use self::reply::Reply;
use super::attempts::Attempts;
use super::driver::Driver;
use super::kind::Kind;
use super::site::Site;
use crate::history::{Cause, OpKind, Outcome, Presence};
use crate::target::{Ability, BuildError, Client, Observation, Operation, Target, fact};

/// The target kind.
pub(super) struct RedisKind;

#[async_trait]
impl Kind for RedisKind {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn about(&self) -> &'static str {
        "Plain GET and SET, one connection a lane: for comparison with other generators."
    }

    fn operations(&self) -> &'static [OpKind] {
        RedisTarget::OPERATIONS
    }

    fn abilities(&self) -> &'static [Ability] {
        RedisTarget::ABILITIES
    }

    fn commands(&self) -> &'static [&'static str] {
        &["SET", "GET", "TOUCH", "DEL"]
    }

    fn is_only_a_client(&self) -> bool {
        true
    }

    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError> {
        Ok(Arc::new(RedisTarget::new(site.redis_url(), site.prefix())?))
    }
}

/// The time limit for connecting, including the login.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// Why this target cannot drive a URL. The URL itself is not shown because it may contain a password.
#[derive(Debug, thiserror::Error)]
pub enum RedisTargetError {
    /// The URL is not a Redis URL.
    #[error("not a Redis URL ({reason}); write redis://[user:password@]host[:port][/database]")]
    BadUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// The URL asks for TLS or a Unix socket.
    #[error("the `redis` target speaks plain TCP only; give it a redis:// URL with host and port")]
    NotTcp,
}

/// A Redis driven directly.
#[derive(Clone)]
pub struct RedisTarget {
    settings: Arc<Settings>,
}

struct Settings {
    host: String,
    port: u16,
    info: ConnectionInfo,
    prefix: String,
}

impl RedisTarget {
    /// The Redis at `url`; keys start with `prefix`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`RedisTargetError`].
    pub fn new(url: &str, prefix: &str) -> Result<Self, RedisTargetError> {
        let bad_url = |error: redis::RedisError| RedisTargetError::BadUrl { reason: error.to_string() };
        let info = url.into_connection_info().map_err(bad_url)?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else { return Err(RedisTargetError::NotTcp) };
        let (host, port) = (host.clone(), *port);
        Ok(Self { settings: Arc::new(Settings { host, port, info, prefix: prefix.to_owned() }) })
    }
}

impl Target for RedisTarget {
    type Client = RedisClient;

    /// A client refuses the other operations: with plain commands, an append to a missing session looks the same as a
    /// create, a value has no room for a claimant, and nothing records which user owns a session.
    const OPERATIONS: &'static [OpKind] = &[OpKind::Create, OpKind::Read, OpKind::Put, OpKind::Touch, OpKind::Destroy];

    fn client(&self) -> RedisClient {
        RedisClient {
            settings: Arc::clone(&self.settings),
            connection: None,
            request: Vec::new(),
            attempts: Attempts::default(),
        }
    }

    fn describe(&self) -> Vec<Fact> {
        vec![fact("target", "redis (plain GET and SET)")]
    }
}

/// A lane to a Redis: one connection, opened on first use and reopened after a loss.
pub struct RedisClient {
    settings: Arc<Settings>,
    connection: Option<Connection>,
    request: Vec<u8>,
    attempts: Attempts,
}

impl Client for RedisClient {
    async fn execute(&mut self, op: &Operation, seen: &mut Observation) -> Outcome {
        if !RedisTarget::OPERATIONS.contains(&op.kind) {
            return refused(seen, Cause::Refused);
        }
        // Taken out while a reply is pending: if this future is dropped early, the connection goes with it, and its
        // late reply cannot be mistaken for another operation's.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match self.connect().await {
                Ok(connection) => connection,
                Err(cause) => return refused(seen, cause),
            },
        };
        self.encode(op);
        match connection.call(&self.request).await {
            Ok(reply) => {
                let outcome = observe(op, reply, &connection, seen);
                if !connection.must_close() {
                    self.connection = Some(connection);
                }
                outcome
            }
            Err(Failure::Unsent) => refused(seen, Cause::ConnectionLost),
            Err(Failure::Lost) => {
                seen.cause = Cause::ConnectionLost;
                Outcome::Unknown
            }
            Err(Failure::NotRedis) => {
                seen.cause = Cause::Corrupt;
                Outcome::Unknown
            }
        }
    }
}

impl RedisClient {
    async fn connect(&mut self) -> Result<Connection, Cause> {
        self.attempts.due().await;
        let settings = &self.settings;
        let connecting = Connection::open(&settings.host, settings.port, settings.info.redis_settings());
        let result = match tokio::time::timeout(CONNECT_DEADLINE, connecting).await {
            Ok(result) => result,
            Err(_) => Err(Cause::Unreachable),
        };
        match result {
            Ok(_) => self.attempts = Attempts::default(),
            Err(_) => self.attempts.failed(),
        }
        result
    }

    fn encode(&mut self, op: &Operation) {
        let request = &mut self.request;
        request.clear();
        let verb: &[u8] = match op.kind {
            OpKind::Read => b"*2\r\n$3\r\nGET\r\n",
            OpKind::Touch => b"*2\r\n$5\r\nTOUCH\r\n",
            OpKind::Destroy => b"*2\r\n$3\r\nDEL\r\n",
            // Of the operations of this target, a create or a put.
            _ => b"*3\r\n$3\r\nSET\r\n",
        };
        request.extend_from_slice(verb);
        value::write_key(request, &self.settings.prefix, op.session);
        if matches!(op.kind, OpKind::Create | OpKind::Put) {
            value::write_value(request, op.session, op.token(), op.payload_bytes as usize);
        }
    }
}

/// Notes `cause` for an operation that certainly had no effect.
fn refused(seen: &mut Observation, cause: Cause) -> Outcome {
    seen.cause = cause;
    Outcome::Failed
}

fn observe(op: &Operation, reply: Reply, connection: &Connection, seen: &mut Observation) -> Outcome {
    match (op.kind, reply) {
        (_, Reply::Error(line)) => {
            seen.refusal = Some(refusal_in_words(&String::from_utf8_lossy(connection.text(line))));
            return refused(seen, Cause::Refused);
        }
        (OpKind::Create | OpKind::Put, Reply::Status) => {}
        (OpKind::Read, Reply::Nil) => seen.presence = Presence::Absent,
        (OpKind::Read, Reply::Bulk(value)) => {
            seen.presence = Presence::Present;
            let head = value::read_head(connection.text(value));
            let Some((owner, token)) = head else { return refused(seen, Cause::Corrupt) };
            seen.owner = Some(owner);
            seen.tokens.push(token);
        }
        (OpKind::Touch | OpKind::Destroy, Reply::Integer(keys)) => {
            seen.presence = if keys > 0 { Presence::Present } else { Presence::Absent };
        }
        _ => {
            seen.cause = Cause::Corrupt;
            return Outcome::Unknown;
        }
    }
    Outcome::Ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_host_and_port_is_refused_without_showing_its_password() {
        for url in ["rediss://:s3cret@localhost", "unix:///tmp/s3cret.sock", "http://:s3cret@localhost", "s3cret"] {
            let error = RedisTarget::new(url, "p:").err().unwrap();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }
}
