//! Asking the servers about their health.

use std::time::Duration;

use tokio::time::Instant;

use super::calls::unexpected;
use super::info::ServerInfo;
use super::request::Request;
use super::store::RedisStore;
use crate::data::SessionData;
use crate::error::StoreError;
use crate::store::{Health, HealthStatus};

impl<D: SessionData> RedisStore<D> {
    /// What the servers report about themselves. The user may lack the right to ask.
    pub(super) async fn info(&self) -> Result<ServerInfo, StoreError> {
        let deadline = self.deadline();
        let mut all: Option<ServerInfo> = None;
        for server in self.servers.all(deadline).await? {
            let reply = self.servers.ask_at(&server, &Request::plain("INFO"), deadline, self.command_timeout).await?;
            let text: String = redis::from_redis_value(reply).map_err(|_| unexpected())?;
            let one = ServerInfo::parse(&text);
            all = Some(match all {
                Some(before) => before.with(one),
                None => one,
            });
        }
        all.ok_or_else(unexpected)
    }

    /// The health of a server that answered in `latency`, and whether the circuit breaker lets calls reach it.
    pub(super) fn guarded(&self, health: Health, latency: Duration) -> Health {
        let health = Health { latency: Some(latency), ..health };
        match &self.breaker {
            Some(breaker) if !breaker.is_closed() => Health {
                status: HealthStatus::Degraded,
                reason: Some("Redis answers, and the circuit breaker has not closed yet".to_owned()),
                ..health
            },
            _ => health,
        }
    }

    /// The longest round trip to any server.
    pub(super) async fn ping(&self) -> Result<Duration, StoreError> {
        let deadline = self.deadline();
        let mut longest = Duration::ZERO;
        for server in self.servers.all(deadline).await? {
            let began = Instant::now();
            self.servers.ask_at(&server, &Request::plain("PING"), deadline, self.command_timeout).await?;
            longest = longest.max(began.elapsed());
        }
        Ok(longest)
    }

    /// Gives up sooner than a call would, and never condemns the connection.
    pub(super) async fn condition(&self) -> Health {
        let asked = async { tokio::join!(self.ping(), self.info()) };
        match tokio::time::timeout(self.health_timeout, asked).await {
            Ok((Ok(latency), info)) => self.guarded(info.map(|info| info.health()).unwrap_or_default(), latency),
            Ok((Err(error), _)) => Health::disconnected(error.to_string()),
            Err(_) => Health::disconnected(
                self.servers.why_down().unwrap_or_else(|| format!("no answer within {:?}", self.health_timeout)),
            ),
        }
    }
}
