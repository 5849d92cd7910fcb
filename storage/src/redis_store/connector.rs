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

    /// Makes a connection on the runtime this is called on. `ended` is called once, when the connection has ended. The
    /// error is the reason, fit for a log.
    pub(super) async fn connect(
        &self,
        ended: impl Fn() + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, String> {
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
            let role = readiness(&mut connection).await?;
            Ok::<_, redis::RedisError>((connection, role))
        };
        match tokio::time::timeout(self.deadline, ready).await {
            Ok(Ok((connection, Role::Master))) => Ok(connection),
            Ok(Ok((_, Role::Replica))) => Err("the server is a read-only replica".to_owned()),
            Ok(Err(error)) => Err(connect_reason(&error)),
            Err(_) => Err(format!("no connection within {:?}", self.deadline)),
        }
    }
}

enum Role {
    Master,
    Replica,
}

/// PING fails while a server loads its data. ROLE tells a demoted master; where an ACL forbids it, writes will tell.
async fn readiness(connection: &mut MultiplexedConnection) -> RedisResult<Role> {
    let pong = connection.send_packed_command(&redis::cmd("PING")).await?;
    pong.extract_error()?;
    let role = connection.send_packed_command(&redis::cmd("ROLE")).await?;
    let is_replica = match role {
        Value::Array(parts) => match parts.first() {
            Some(Value::BulkString(name)) => name == b"slave",
            Some(Value::SimpleString(name)) => name == "slave",
            _ => false,
        },
        _ => false,
    };
    Ok(if is_replica { Role::Replica } else { Role::Master })
}
