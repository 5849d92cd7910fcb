//! How a connection is made ready for use: finding the server, connecting, and letting the server prove that it is a
//! primary with its data loaded. A server that accepts connections may not be able to serve yet.

use std::sync::Arc;
use std::time::Duration;

use redis::{RedisResult, Value};

use super::address::Address;
use super::dial::{Dialer, Wire};
use super::news::News;
use super::sentinel::Sentinels;
use crate::planted;

/// How to find the server.
pub(super) enum Place {
    /// Always at this address.
    At(Address),
    /// Where the sentinels say; they are asked at every attempt.
    Watched(Sentinels),
}

pub(super) struct Connector {
    dialer: Dialer,
    place: Place,
    deadline: Duration,
}

impl Connector {
    pub(super) fn new(dialer: Dialer, place: Place, deadline: Duration) -> Self {
        Self { dialer, place, deadline }
    }

    /// What the connections learn.
    pub(super) fn news(&self) -> Arc<News> {
        self.dialer.news()
    }

    /// Makes a connection on the current runtime, and closes `previous` on the server. `ended` is called once, when the
    /// new connection has ended. The error is the reason, fit for a log.
    pub(super) async fn connect(
        &self,
        previous: Option<&Peer>,
        ended: impl Fn() + Send + Sync + 'static,
    ) -> Result<Connected, String> {
        let ready = async {
            let address = match &self.place {
                Place::At(address) => address.clone(),
                Place::Watched(sentinels) => sentinels.primary().await?,
            };
            let wire = self.dialer.dial(&address, ended).await?;
            // After a failover the old connection's server is another one, and nothing it holds can reach this one.
            let previous = previous.filter(|peer| peer.server == address && !planted::seam!(late_writes_land));
            let news = self.dialer.news();
            let greeting = greet(&wire, previous, news.prefix()).await.map_err(|error| self.dialer.failed(&error))?;
            if greeting.is_replica && !planted::seam!(serves_from_replica) {
                return Err("the server is a read-only replica".to_owned());
            }
            let peer = greeting.peer.map(|(id, addr)| Peer { server: address, id, addr });
            Ok(Connected { wire, peer, boot: greeting.boot })
        };
        match tokio::time::timeout(self.deadline, ready).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no connection within {:?}{}", self.deadline, self.dialer.hint())),
        }
    }
}

/// A connection that is ready for use.
pub(super) struct Connected {
    pub(super) wire: Wire,
    pub(super) peer: Option<Peer>,
    /// Identifies the server's process; `None`: the server does not say.
    pub(super) boot: Option<String>,
}

/// A connection as its server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    server: Address,
    id: String,
    addr: String,
}

struct Greeting {
    is_replica: bool,
    peer: Option<(String, String)>,
    boot: Option<String>,
}

/// Several questions in one round trip. PING fails while a server loads its data. ROLE exposes a demoted primary.
/// CLIENT INFO says how the server knows this connection, and CLIENT KILL closes the previous one: commands sent there
/// and not carried out yet (held by a stalled network, or in a frozen server's buffers) never will be, so no call that
/// timed out takes effect after later ones. INFO identifies the server's process: another one may have lost what the
/// last one acknowledged. TRACKING subscribes to sessions that others destroy. If an ACL forbids one of these, that
/// protection is missing.
async fn greet(wire: &Wire, previous: Option<&Peer>, tracked: Option<&str>) -> RedisResult<Greeting> {
    let kill = async {
        match previous {
            Some(peer) => wire.ask(&["CLIENT", "KILL", "ID", &peer.id, "ADDR", &peer.addr]).await.map(|_| ()),
            None => Ok(()),
        }
    };
    let track = async {
        match tracked {
            Some(prefix) => {
                let asked = wire.ask(&["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", prefix, "NOLOOP"]).await;
                asked.map(|_| ())
            }
            None => Ok(()),
        }
    };
    let (pong, role, info, server, _tracked, _killed) = tokio::join!(
        wire.ask(&["PING"]),
        wire.ask(&["ROLE"]),
        wire.ask(&["CLIENT", "INFO"]),
        wire.ask(&["INFO", "server"]),
        track,
        kill
    );
    pong?;
    Ok(Greeting {
        is_replica: role.is_ok_and(|role| first_word(&role) == "slave"),
        peer: text(info).and_then(|info| peer(&info)),
        boot: text(server).and_then(|info| boot(&info)),
    })
}

fn text(answer: RedisResult<Value>) -> Option<String> {
    answer.ok().and_then(|text| redis::from_redis_value(text).ok())
}

/// Finds the id of the server's process.
fn boot(info: &str) -> Option<String> {
    info.lines().find_map(|line| line.strip_prefix("run_id:")).map(|id| id.trim().to_owned())
}

fn first_word(role: &Value) -> String {
    match role {
        Value::Array(parts) => {
            parts.first().and_then(|word| redis::from_redis_value_ref(word).ok()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Reads id and address from `id=3 addr=127.0.0.1:50000 laddr=…`.
fn peer(info: &str) -> Option<(String, String)> {
    let field = |name: &str| info.split_whitespace().find_map(|field| field.strip_prefix(name)).map(str::to_owned);
    Some((field("id=")?, field("addr=")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_known_by_its_id_and_address() {
        let info = "id=3 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 fd=8 name= age=0";
        assert_eq!(peer(info), Some(("3".into(), "127.0.0.1:50000".into())));
        assert_eq!(peer("name="), None);
    }
}
