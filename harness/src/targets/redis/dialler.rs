//! Opens connections: to the one server, to a node of a cluster, or to whichever server the sentinels name.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use firedrill_storage::redis_store::Tls;
use firedrill_storage::{Credentials, Deployment, Network as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;

use super::super::site::Site;
use super::super::wiring::{Protocol, UnixSocket};
use super::connection::{Connection, Reply};
use super::resp::Value;
use super::wire::Wire;
use crate::history::Cause;
use crate::lab::RedisUrl;
use crate::names::{StoreNames, StorePassword};
use crate::target::BuildError;

/// The time limit for connecting, including the login. A server whose accept queue is full ignores an attempt, and the
/// kernel repeats it after a second: an attempt that then succeeds must not count as failed.
const DEADLINE: Duration = Duration::from_millis(1_500);

/// An attempt that takes this long waited for the kernel to repeat it.
const REPEATED: Duration = Duration::from_millis(900);

/// How long a sentinel may take to name the primary.
const SENTINEL_PATIENCE: Duration = Duration::from_millis(250);

/// How many attempts may be under way at a time: fewer than fit into the accept queue of a Redis (`tcp-backlog 511`), however
/// slowly it accepts them, and enough to keep it busy.
const AT_ONCE: usize = 64;

/// A server, as its group knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Node {
    /// From `host:port`; an IPv6 address may have brackets.
    pub(super) fn parse(text: &str, default_port: u16) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
    }
}

/// The login and the settings of every connection.
pub(super) struct Dialler {
    url: RedisUrl,
    protocol: Protocol,
    tls: Option<Tls>,
    unix: Option<PathBuf>,
    names: Option<Arc<StoreNames>>,
    password: Option<Arc<StorePassword>>,
    sentinels: Option<Sentinels>,
    places: Semaphore,
    /// Attempts that the kernel had to repeat.
    repeated: AtomicU64,
}

/// Who knows the primary.
struct Sentinels {
    master: String,
    nodes: Vec<Node>,
    credentials: Option<Credentials>,
}

impl Dialler {
    /// The dialler of a drill.
    ///
    /// # Errors
    /// A TLS file that cannot be used, or a Unix socket that the lab does not have.
    pub(super) fn of(site: &Site) -> Result<Self, BuildError> {
        let sentinels = match &site.access.deployment {
            Deployment::Sentinel { master, sentinels, credentials } => Some(Sentinels {
                master: master.clone(),
                nodes: sentinels.iter().filter_map(|sentinel| Node::parse(sentinel, 26_379)).collect(),
                credentials: credentials.clone(),
            }),
            _ => None,
        };
        let (names, password) = (site.names.clone(), site.password.clone());
        let plain = Self { sentinels, names, password, ..Self::to(site.access.url.clone(), site.redis.protocol)? };
        plain.through(&site.redis.unix_socket, site.unix_socket.clone())
    }

    /// The same through a Unix socket, if one is asked for; `lab` is that of the drill's own server.
    ///
    /// # Errors
    /// The drill's own server has none.
    pub(super) fn through(self, socket: &UnixSocket, lab: Option<PathBuf>) -> Result<Self, BuildError> {
        let unix = match socket {
            UnixSocket::Lab(false) => None,
            UnixSocket::Lab(true) => Some(lab.ok_or(
                "this Redis is not the drill's own: write the path of its Unix socket as target.redis.unix-socket",
            )?),
            UnixSocket::Path(path) => Some(path.clone()),
        };
        Ok(Self { unix, ..self })
    }

    /// Whether the Unix socket and the URL lead to the same server: the drill's keys would otherwise land where nobody
    /// looks for them, or removes them.
    ///
    /// # Errors
    /// Why it is not known to be so.
    pub(super) async fn leads_to_one_server(&self) -> Result<(), String> {
        let by_socket =
            self.open(&self.first()).await.map_err(|cause| format!("no Redis answers there ({})", cause.name()))?;
        let by_url = Self::to(self.url.clone(), self.protocol).map_err(|error| error.to_string())?;
        let by_url =
            by_url.open(&self.first()).await.map_err(|_| "the server of --redis does not answer".to_owned())?;
        match (run_id(by_socket).await, run_id(by_url).await) {
            (Some(one), Some(other)) if one == other => Ok(()),
            (Some(_), Some(_)) => Err("this is the socket of another server than that of --redis".to_owned()),
            _ => Err("the server does not say which one it is (INFO server)".to_owned()),
        }
    }

    /// For the server at `url`.
    ///
    /// # Errors
    /// A TLS file that cannot be used.
    pub(super) fn to(url: RedisUrl, protocol: Protocol) -> Result<Self, BuildError> {
        Ok(Self {
            tls: url.is_tls().then(|| Tls::new(url.tls())).transpose()?,
            url,
            protocol,
            unix: None,
            names: None,
            password: None,
            sentinels: None,
            places: Semaphore::new(AT_ONCE),
            repeated: AtomicU64::new(0),
        })
    }

    /// The server that the URL names.
    pub(super) fn first(&self) -> Node {
        Node { host: self.url.host().to_owned(), port: self.url.port() }
    }

    /// How many attempts to connect waited a second because the server's accept queue was full, or a packet was lost.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated.load(Relaxed)
    }

    /// Connects to `node` and logs in; where sentinels decide, to the primary that they name.
    pub(super) async fn open(&self, node: &Node) -> Result<Connection, Cause> {
        let opening = async {
            // The semaphore is never closed.
            let _place = self.places.acquire().await.map_err(|_| Cause::Unreachable)?;
            let primary = match &self.sentinels {
                Some(sentinels) => Some(self.primary(sentinels).await.ok_or(Cause::Unreachable)?),
                None => None,
            };
            self.connect(primary.as_ref().unwrap_or(node)).await
        };
        match tokio::time::timeout(DEADLINE, opening).await {
            Ok(result) => result,
            Err(_) => Err(Cause::Unreachable),
        }
    }

    async fn connect(&self, node: &Node) -> Result<Connection, Cause> {
        let mut connection = Connection::new(self.wire(node).await.ok_or(Cause::Unreachable)?);
        let told = self.password.as_ref().and_then(|password| password.told());
        let login = Login {
            user: Some(self.url.user()).filter(|user| *user != "default"),
            password: told.as_deref().or_else(|| self.url.password()),
        };
        login.carry_out(&mut connection, self.protocol).await?;
        if self.url.database() != 0 {
            ask(&mut connection, &["SELECT", &self.url.database().to_string()]).await?;
        }
        if self.sentinels.is_some() && !is_primary(&mut connection).await {
            return Err(Cause::Refused);
        }
        Ok(connection)
    }

    /// A stream to `node`, encrypted if the URL asks for it.
    async fn wire(&self, node: &Node) -> Option<Wire> {
        if let Some(path) = &self.unix {
            return UnixStream::connect(path).await.ok().map(Wire::Unix);
        }
        let begun = Instant::now();
        if let Some(names) = &self.names {
            let stream = names.connect(&node.host, node.port).await.ok()?;
            self.measured(begun);
            return match &self.tls {
                None => Some(Wire::Other(stream)),
                Some(tls) => Some(Wire::Other(Box::new(tls.secure(&node.host, stream).await.ok()?))),
            };
        }
        let stream = TcpStream::connect((node.host.as_str(), node.port)).await.ok()?;
        self.measured(begun);
        stream.set_nodelay(true).ok()?;
        match &self.tls {
            None => Some(Wire::Tcp(stream)),
            Some(tls) => Some(Wire::Other(Box::new(tls.secure(&node.host, stream).await.ok()?))),
        }
    }

    fn measured(&self, begun: Instant) {
        if begun.elapsed() >= REPEATED {
            self.repeated.fetch_add(1, Relaxed);
        }
    }

    /// The primary, as most sentinels name it: one that has not heard of a failover names the old one.
    async fn primary(&self, sentinels: &Sentinels) -> Option<Node> {
        let mut named: Vec<Node> = Vec::new();
        for node in &sentinels.nodes {
            let asked = tokio::time::timeout(SENTINEL_PATIENCE, self.named_by(node, sentinels)).await;
            named.extend(asked.ok().flatten());
        }
        let votes = |node: &Node| named.iter().filter(|other| *other == node).count();
        named.iter().max_by_key(|node| votes(node)).cloned()
    }

    /// The primary, as the sentinel at `node` names it.
    async fn named_by(&self, node: &Node, sentinels: &Sentinels) -> Option<Node> {
        let mut connection = Connection::new(self.wire(node).await?);
        let login = sentinels.credentials.as_ref();
        let login = login.map(|login| Login { user: login.user.as_deref(), password: Some(&login.password) });
        login.unwrap_or_default().carry_out(&mut connection, Protocol::Resp2).await.ok()?;
        let request = encoded(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &sentinels.master]);
        let reply = connection.call(&request).await.ok()?;
        let [Value::Bulk(host), Value::Bulk(port)] = reply.values else { return None };
        let text = |place| String::from_utf8_lossy(reply.text(place)).into_owned();
        Some(Node { host: text(host), port: text(port).parse().ok()? })
    }
}

/// What distinguishes the server from all others.
async fn run_id(mut connection: Connection) -> Option<String> {
    let reply = connection.call(&encoded(&["INFO", "server"])).await.ok()?;
    let [Value::Bulk(place)] = reply.values else { return None };
    let info = String::from_utf8_lossy(reply.text(place)).into_owned();
    info.lines().find_map(|line| line.strip_prefix("run_id:")).map(|id| id.trim().to_owned())
}

/// Whether the server calls itself a primary, as clients of sentinels must ask: one that was demoted answers reads
/// (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).
async fn is_primary(connection: &mut Connection) -> bool {
    match connection.call(&encoded(&["ROLE"])).await {
        Ok(reply) => matches!(reply.values.first(), Some(Value::Bulk(role)) if reply.text(role) == b"master"),
        Err(_) => false,
    }
}

/// A user and a password.
#[derive(Default)]
struct Login<'l> {
    user: Option<&'l str>,
    password: Option<&'l str>,
}

impl Login<'_> {
    async fn carry_out(&self, connection: &mut Connection, protocol: Protocol) -> Result<(), Cause> {
        let name = self.user.filter(|user| !user.is_empty());
        match (protocol, self.password) {
            (Protocol::Resp2, None) => Ok(()),
            // Redis before 6 has no users.
            (Protocol::Resp2, Some(password)) => {
                ask(connection, &["AUTH"].into_iter().chain(name).chain([password]).collect::<Vec<_>>()).await
            }
            (Protocol::Resp3, None) => ask(connection, &["HELLO", "3"]).await,
            (Protocol::Resp3, Some(password)) => {
                ask(connection, &["HELLO", "3", "AUTH", name.unwrap_or("default"), password]).await
            }
        }
    }
}

/// Sends `words`; anything but a refusal is success.
async fn ask(connection: &mut Connection, words: &[&str]) -> Result<(), Cause> {
    match connection.call(&encoded(words)).await {
        Ok(reply) if reply.error().is_none() => Ok(()),
        Ok(_) => Err(Cause::Refused),
        Err(_) => Err(Cause::Unreachable),
    }
}

/// A command as RESP.
pub(super) fn encoded(words: &[&str]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    request.into_bytes()
}

/// What `node`s of a cluster say of it, from the first that answers (`CLUSTER NODES`).
pub(super) async fn layout_by(dialler: &Dialler, nodes: &[Arc<Node>]) -> Option<(Arc<Node>, String)> {
    for node in nodes {
        let Ok(mut connection) = dialler.open(node).await else { continue };
        let Ok(reply) = connection.call(&encoded(&["CLUSTER", "NODES"])).await else { continue };
        if let Reply { values: [Value::Bulk(text)], .. } = &reply {
            return Some((node.clone(), String::from_utf8_lossy(reply.text(text)).into_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;
    use tokio::task::JoinSet;

    use super::*;

    #[test]
    fn a_node_is_read_with_or_without_a_port_and_brackets() {
        let node = |host: &str, port| Some(Node { host: host.to_owned(), port });
        assert_eq!(Node::parse("redis-1", 6_379), node("redis-1", 6_379));
        assert_eq!(Node::parse("[::1]:7000", 6_379), node("::1", 7_000));
        assert_eq!(Node::parse("redis-1:x", 6_379), None);
        assert_eq!(Node::parse(":7000", 6_379), None);
    }

    /// A queue with room for two, which nobody empties: the kernel drops the other attempts and repeats them after a second.
    #[tokio::test]
    async fn an_attempt_that_finds_the_accept_queue_full_succeeds_later_and_is_counted() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let dialler = Arc::new(Dialler::to(url.parse().unwrap(), Protocol::Resp2).unwrap());
        let mut attempts = JoinSet::new();
        for _ in 0..4 {
            let dialler = dialler.clone();
            attempts.spawn(async move { dialler.open(&dialler.first()).await.map(|_| ()) });
        }
        for _ in 0..2 {
            attempts.join_next().await.unwrap().unwrap().unwrap();
        }
        assert_eq!(dialler.repeated(), 0);
        let accepting = tokio::spawn(async move {
            let mut accepted = Vec::new();
            while let Ok(one) = listener.accept().await {
                accepted.push(one);
            }
        });
        for outcome in attempts.join_all().await {
            outcome.unwrap();
        }
        assert_eq!(dialler.repeated(), 2);
        accepting.abort();
    }
}
