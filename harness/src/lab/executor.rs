//! A connection to a server, or to servers that share the work: it sends a command and reads its answer.

use std::sync::Arc;

use redis::{Cmd, FromRedisValue};

use super::admin::Admin;
use super::error::{LabError, RedisFailure, ServerError};
use super::server::Servers;
use super::url::RedisUrl;

/// The connection to a server.
pub trait Executor: Send + Sync {
    /// Sends `command`, possibly twice, and reads its answer.
    fn query<T: FromRedisValue + Send>(&self, command: &Cmd) -> impl Future<Output = Result<T, LabError>> + Send;
}

impl Executor for Admin {
    fn query<T: FromRedisValue + Send>(&self, command: &Cmd) -> impl Future<Output = Result<T, LabError>> + Send {
        Admin::query(self, command)
    }
}

/// A line to database 0 of the servers that accept writes now, whichever these are. Of several, the one that has the
/// command's keys answers.
pub struct LeadersLine {
    servers: Arc<dyn Servers>,
    /// A line to each server, in their order.
    lines: Vec<Admin>,
}

impl LeadersLine {
    /// A line to `servers`, not yet connected.
    ///
    /// # Errors
    /// Same as [`Admin::new`].
    pub fn to(servers: Arc<dyn Servers>) -> Result<Self, LabError> {
        let line = |url: &RedisUrl| Admin::new(&url.in_database(0)?, Admin::DEADLINE);
        let lines = servers.all().iter().map(|server| line(server.url())).collect::<Result<_, _>>()?;
        Ok(Self { servers, lines })
    }
}

impl Executor for LeadersLine {
    async fn query<T: FromRedisValue + Send>(&self, command: &Cmd) -> Result<T, LabError> {
        let leading = self.servers.leading().await?;
        let mut answer = None;
        for line in leading.iter().filter_map(|at| self.lines.get(*at)) {
            let answered = line.query(command).await;
            let elsewhere = answered.as_ref().is_err_and(is_elsewhere);
            answer = Some(answered);
            if !elsewhere {
                break;
            }
        }
        answer.unwrap_or_else(|| {
            Err(LabError::Server(ServerError::NotTogether {
                what: "no server accepts writes",
                deadline: Admin::DEADLINE,
                seen: "the one that leads is not among those that the drill found at its start".to_owned(),
            }))
        })
    }
}

/// Whether a node of a cluster refused a command because another one has its keys.
pub fn is_elsewhere(error: &LabError) -> bool {
    match error {
        LabError::Redis(RedisFailure::Refused { answer, .. } | RedisFailure::Lacks { answer, .. }) => {
            ["Moved:", "MOVED "].iter().any(|word| answer.starts_with(word))
        }
        _ => false,
    }
}
