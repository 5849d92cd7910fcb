//! The servers behind a store (one, wherever it is at the moment, or the primaries of a cluster), and the circuit
//! breaker that every call to them passes.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::cluster::{Cluster, Leaders};
use super::failure;
use super::link::{Link, Pace};
use super::request::Request;
use super::retry::RetryProfile;
use crate::breaker::Breaker;
use crate::clock::from_now;
use crate::error::StoreError;
use crate::network::Randomness;
use crate::planted;

/// How the servers are reached.
#[derive(Clone)]
pub(super) enum Reach {
    One(Arc<Link>),
    Cluster(Arc<Cluster>),
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Servers {
    reach: Reach,
    breaker: Option<Arc<Breaker>>,
    retry: RetryProfile,
    randomness: Randomness,
}

/// One server that has sessions.
pub(super) struct Server {
    link: Arc<Link>,
    /// Tells it from the other servers of a cluster.
    name: String,
}

impl Servers {
    pub(super) fn new(reach: Reach, breaker: Option<Arc<Breaker>>, pace: &Pace) -> Self {
        Self { reach, breaker, retry: pace.retry, randomness: pace.randomness.clone() }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.reach, Reach::Cluster(_))
    }

    /// Carries out a request that names a key by `deadline`, which is `limit` after the call began, if the circuit
    /// breaker lets it through. Repeats it as often as the retry profile allows, and only while it certainly had no
    /// effect.
    pub(super) async fn call(
        &self,
        request: &Request,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, StoreError> {
        self.repeated(None, request, deadline, limit).await
    }

    /// The same for a request about a server rather than a key.
    pub(super) async fn call_at(
        &self,
        server: &Server,
        request: &Request,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, StoreError> {
        self.repeated(Some(server), request, deadline, limit).await
    }

    /// Asks a server once; the breaker neither refuses nor counts it. For health checks, which must neither take a
    /// probe's place nor close the breaker.
    pub(super) async fn ask_at(
        &self,
        server: &Server,
        request: &Request,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, StoreError> {
        server.link.call(request, deadline, limit, false).await.map_err(|failure| failure.error)
    }

    async fn repeated(
        &self,
        server: Option<&Server>,
        request: &Request,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, StoreError> {
        for failures in 1..=self.retry.per_request + u32::from(planted::seam!(resends_unknown)) {
            let error = match self.admitted(server, request, deadline, limit).await {
                Err(error) if failure::is_passing(&error) => error,
                done => return done,
            };
            let again = from_now(self.retry.jittered(failures, &self.randomness));
            if again >= deadline && !planted::seam!(retries_past_deadline) {
                return Err(error);
            }
            tokio::time::sleep_until(again).await;
        }
        self.admitted(server, request, deadline, limit).await
    }

    /// The source of jitter.
    pub(super) fn randomness(&self) -> &Randomness {
        &self.randomness
    }

    /// Makes a call once, if the circuit breaker lets it through.
    async fn admitted(
        &self,
        server: Option<&Server>,
        request: &Request,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Value, StoreError> {
        let permit = self.breaker.as_ref().map(Breaker::admit).transpose()?;
        let answer = match (server, &self.reach) {
            (Some(server), _) => self.ask_at(server, request, deadline, limit).await,
            (None, Reach::One(link)) => {
                link.call(request, deadline, limit, false).await.map_err(|failure| failure.error)
            }
            (None, Reach::Cluster(cluster)) => cluster.call(request, deadline, limit).await,
        };
        if let Some(permit) = permit {
            permit.settle(answer.as_ref().err());
        }
        answer
    }

    /// Every server that has sessions: at least one.
    pub(super) async fn all(&self, deadline: Instant) -> Result<Vec<Server>, StoreError> {
        match &self.reach {
            Reach::One(link) => Ok(vec![Server { link: Arc::clone(link), name: String::new() }]),
            Reach::Cluster(cluster) => {
                let primaries = cluster.primaries(deadline).await?;
                Ok(primaries.into_iter().map(|(name, link)| Server { link, name }).collect())
            }
        }
    }

    /// The cluster's layout, if there is one.
    pub(super) async fn leaders(&self, deadline: Instant) -> Result<Option<Leaders>, StoreError> {
        match &self.reach {
            Reach::One(_) => Ok(None),
            Reach::Cluster(cluster) => cluster.leaders(deadline).await.map(Some),
        }
    }

    /// Waits, without limit, until there is a connection to every server.
    pub(super) async fn connected(&self) {
        match &self.reach {
            Reach::One(link) => link.connected().await,
            Reach::Cluster(cluster) => cluster.connected().await,
        }
    }

    /// Whether there is a connection to any server.
    pub(super) fn is_up(&self) -> bool {
        match &self.reach {
            Reach::One(link) => link.is_up(),
            Reach::Cluster(cluster) => cluster.is_up(),
        }
    }

    /// Why there is no connection to one of them, without addresses or credentials; `None` if all are connected.
    pub(super) fn why_down(&self) -> Option<String> {
        match &self.reach {
            Reach::One(link) => link.reason(),
            Reach::Cluster(cluster) => cluster.why_down(),
        }
    }

    /// Why there is no connection.
    pub(super) async fn reason(&self) -> StoreError {
        let now = Instant::now();
        let servers = match self.all(now).await {
            Ok(servers) => servers,
            Err(error) => return error,
        };
        for server in servers {
            if let Err(error) = server.link.connection(now).await {
                return error;
            }
        }
        StoreError::Unavailable { reason: "there was no connection in time".to_owned() }
    }
}

/// The position of a walk over the keys of all servers: the server's own cursor and, after the first server of a
/// cluster, which server it is. Written `cursor`, or `cursor@number@name`.
pub(super) struct ScanPlace {
    pub(super) server: usize,
    pub(super) cursor: Vec<u8>,
}

impl ScanPlace {
    /// Finds the position again. Fails if the cluster has changed: the walk must start over.
    pub(super) fn parse(text: &[u8], servers: &[Server]) -> Result<Self, StoreError> {
        let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
        parse(text, &names).ok_or_else(|| StoreError::Unavailable {
            reason: "the cluster has changed while its sessions were being listed: start over".to_owned(),
        })
    }

    /// Where the walk continues after the server has returned `cursor`; `0` at its end.
    pub(super) fn next(&self, cursor: Vec<u8>, servers: &[Server]) -> Vec<u8> {
        let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
        next(self.server, cursor, &names)
    }
}

fn parse(text: &[u8], names: &[&str]) -> Option<ScanPlace> {
    if text == b"0" || names == [""] {
        return Some(ScanPlace { server: 0, cursor: text.to_vec() });
    }
    let mut parts = std::str::from_utf8(text).ok()?.splitn(3, '@');
    let (cursor, server, name) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    (names.get(server) == Some(&name)).then(|| ScanPlace { server, cursor: cursor.into() })
}

fn next(server: usize, cursor: Vec<u8>, names: &[&str]) -> Vec<u8> {
    if names == [""] {
        return cursor;
    }
    let server = if cursor == b"0" { server + 1 } else { server };
    match names.get(server) {
        None => b"0".to_vec(),
        Some(name) => [cursor, format!("@{server}@{name}").into_bytes()].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_goes_from_server_to_server_and_ends_after_the_last() {
        let names = ["a:1", "b:2"];
        let mut text = b"0".to_vec();
        let mut places = Vec::new();
        // Each server returns 0 at the second step.
        for answer in ["7", "0", "9", "0"] {
            let place = parse(&text, &names).unwrap();
            places.push((place.server, String::from_utf8(place.cursor).unwrap()));
            text = next(place.server, answer.into(), &names);
        }
        assert_eq!(places, [(0, "0".into()), (0, "7".into()), (1, "0".into()), (1, "9".into())]);
        assert_eq!(text, b"0");
        assert!(parse(b"7@1@b:2", &["a:1", "c:3"]).is_none(), "another server has taken the place");
    }

    #[test]
    fn one_server_alone_has_its_own_cursor() {
        assert_eq!(next(0, b"12".to_vec(), &[""]), b"12");
        assert_eq!(parse(b"12", &[""]).unwrap().cursor, b"12");
    }
}
