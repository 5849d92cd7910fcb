//! How one connection is made, up to the point where it can be used: TCP without Nagle's delay, HELLO, and the proof
//! that the server is a master that has its data. A server that accepts connections is not yet one that can serve.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisResult, Value,
};

use super::failure::connect_reason;

pub(super) struct Connector {
    client: Client,
    deadline: Duration,
}

/// The URL is not one for Redis. Says nothing of what it contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Redis URL: expected redis://[[user]:password@]host[:port][/db]")]
pub struct InvalidUrl;

impl Connector {
    pub(super) fn new(url: &str, deadline: Duration) -> Result<Self, InvalidUrl> {
        let info = url.into_connection_info().map_err(|_| InvalidUrl)?;
        // RESP3, because only there the client says by itself that a connection has ended.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        // The kernel gives up on a peer that acknowledges nothing.
        let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(Duration::from_secs(10));
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        let client = Client::open(info).map_err(|_| InvalidUrl)?;
        Ok(Self { client, deadline })
    }

    /// Makes a connection on the runtime this is called on, and ends `previous` at the server. `ended` is called once,
    /// when the new connection has ended. The error is the reason, fit for a log.
    pub(super) async fn connect(
        &self,
        previous: Option<&Peer>,
        ended: impl Fn() + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Option<Peer>), String> {
        let on_push = move |push: PushInfo| -> Result<(), redis::aio::SendError> {
            if push.kind == PushKind::Disconnection {
                ended();
            }
            Ok(())
        };
        // Deadlines are kept by the callers, who know when theirs began.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(on_push);
        let ready = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            let greeting = greet(&mut connection, previous).await?;
            Ok::<_, redis::RedisError>((connection, greeting))
        };
        match tokio::time::timeout(self.deadline, ready).await {
            Ok(Ok((_, Greeting { is_replica: true, .. }))) => Err("the server is a read-only replica".to_owned()),
            Ok(Ok((connection, greeting))) => Ok((connection, greeting.peer)),
            Ok(Err(error)) => Err(connect_reason(&error)),
            Err(_) => Err(format!("no connection within {:?}", self.deadline)),
        }
    }
}

/// A connection as its server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    id: String,
    addr: String,
}

struct Greeting {
    is_replica: bool,
    peer: Option<Peer>,
}

/// Four questions in one round trip. PING fails while a server loads its data. ROLE tells a demoted master. CLIENT INFO
/// says how the server knows this connection, and CLIENT KILL ends the one before it: what was sent there and not yet
/// carried out (held in a network that stalls, or in a frozen server's buffers) never will be, so that no call that
/// timed out takes effect after later ones. Where an ACL forbids one of the last three, that protection is missing.
async fn greet(connection: &mut MultiplexedConnection, previous: Option<&Peer>) -> RedisResult<Greeting> {
    let ask = |parts: Vec<&str>| {
        let mut connection = connection.clone();
        let mut cmd = redis::cmd(parts[0]);
        cmd.arg(&parts[1..]);
        async move { connection.send_packed_command(&cmd).await.and_then(Value::extract_error) }
    };
    let kill = async {
        match previous {
            Some(peer) => ask(vec!["CLIENT", "KILL", "ID", &peer.id, "ADDR", &peer.addr]).await.map(|_| ()),
            None => Ok(()),
        }
    };
    let (pong, role, info, _killed) =
        tokio::join!(ask(vec!["PING"]), ask(vec!["ROLE"]), ask(vec!["CLIENT", "INFO"]), kill);
    pong?;
    Ok(Greeting {
        is_replica: role.is_ok_and(|role| first_word(&role) == "slave"),
        peer: info.ok().and_then(|info| redis::from_redis_value::<String>(info).ok()).and_then(|info| peer(&info)),
    })
}

fn first_word(role: &Value) -> String {
    match role {
        Value::Array(parts) => {
            parts.first().and_then(|word| redis::from_redis_value_ref(word).ok()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Reads `id=3 addr=127.0.0.1:50000 laddr=…`.
fn peer(info: &str) -> Option<Peer> {
    let field = |name: &str| info.split_whitespace().find_map(|field| field.strip_prefix(name)).map(str::to_owned);
    Some(Peer { id: field("id=")?, addr: field("addr=")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_known_by_its_id_and_address() {
        let info = "id=3 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 fd=8 name= age=0";
        assert_eq!(peer(info), Some(Peer { id: "3".into(), addr: "127.0.0.1:50000".into() }));
        assert_eq!(peer("name="), None);
    }
}
