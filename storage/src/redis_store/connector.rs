//! How one connection is made, up to the point where it can be used: where the server is, the connection itself, and the
//! proof that the server is a primary that has its data. A server that accepts connections is not yet one that can serve.

use std::sync::Arc;
use std::time::Duration;

use redis::{RedisResult, Value};

use super::address::Address;
use super::dial::{Dialer, Wire};
use super::news::News;
use super::sentinel::Sentinels;

/// Where to look for the server.
pub(super) enum Place {
    /// Always here.
    At(Address),
    /// Where the sentinels say, asked at every attempt.
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

    /// What its connections learn.
    pub(super) fn news(&self) -> Arc<News> {
        self.dialer.news()
    }

    /// Makes a connection on the runtime this is called on, and ends `previous` at the server. `ended` is called once,
    /// when the new connection has ended. The error is the reason, fit for a log.
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
            // After a failover the old connection's server is another one: nothing held there can reach this one.
            let previous = previous.filter(|peer| peer.server == address);
            let news = self.dialer.news();
            let greeting = greet(&wire, previous, news.prefix()).await.map_err(|error| self.dialer.failed(&error))?;
            if greeting.is_replica {
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

/// A connection that can be used.
pub(super) struct Connected {
    pub(super) wire: Wire,
    pub(super) peer: Option<Peer>,
    /// Names the server's process; `None`: it does not tell.
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

/// Some questions in one round trip. PING fails while a server loads its data. ROLE tells a demoted primary. CLIENT INFO
/// says how the server knows this connection, and CLIENT KILL ends the one before it: what was sent there and not yet
/// carried out (held in a network that stalls, or in a frozen server's buffers) never will be, so that no call that
/// timed out takes effect after later ones. INFO names the server's process: another one may have lost what the one before
/// had acknowledged. TRACKING asks to be told of sessions that others destroy. If an ACL forbids one of these, that
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

/// Reads what names the server's process.
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
