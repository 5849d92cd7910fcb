//! The process that a fault hits, and the evidence that the load noticed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::super::context::{FaultContext, HoldPerServer};
use super::super::overlay::Hold;
use super::super::path::{Path, ProbeResult, converse, count};
use super::super::{FaultError, Impact};
use crate::lab::{AppProcess, ServerProcess};

/// Whose process to hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fault) enum ProcessTarget {
    /// Redis's.
    Redis,
    /// The application's.
    App,
}

impl ProcessTarget {
    /// Its name in messages.
    pub fn name(self, context: &FaultContext) -> String {
        match (self, context.apps.first()) {
            (ProcessTarget::App, Some(app)) => app.called().to_owned(),
            (ProcessTarget::App, None) => "the application".to_owned(),
            (ProcessTarget::Redis, _) => "redis-server".to_owned(),
        }
    }

    /// The process, for a fault of kind `fault`; for Redis, that of the server at the end of `path`.
    pub fn process<'c>(
        self,
        context: &'c FaultContext,
        path: &'c Path,
        fault: &'static str,
    ) -> Result<&'c dyn ServerProcess, FaultError> {
        match self {
            ProcessTarget::Redis => Ok(path.server().process_for(fault)?),
            ProcessTarget::App => match context.apps.first() {
                Some(app) => Ok(app.as_ref()),
                None => Err(FaultError::NoApp { fault }),
            },
        }
    }

    /// The faults that keep it dead.
    pub fn dead(self, context: &FaultContext) -> Arc<Hold> {
        self.hold(context, &context.holds.dead, &context.holds.app_dead)
    }

    /// The kinds of faults that may keep it dead.
    pub fn killers(self) -> &'static str {
        match self {
            ProcessTarget::Redis => "process.kill or process.power-loss",
            ProcessTarget::App => "app.kill",
        }
    }

    /// The faults that keep it stopped.
    pub fn stopped(self, context: &FaultContext) -> Arc<Hold> {
        self.hold(context, &context.holds.stopped, &context.holds.app_stopped)
    }

    fn hold(self, context: &FaultContext, redis: &Arc<Hold>, apps: &HoldPerServer) -> Arc<Hold> {
        match (self, context.apps.first()) {
            (ProcessTarget::App, Some(app)) => apps.at(app.address().to_string()),
            _ => redis.clone(),
        }
    }

    /// How much the load uses it now, in words with a leading space; empty if nothing counts it.
    pub fn use_by_load(self, context: &FaultContext, path: &Path) -> String {
        match (self, context.apps.first(), path.open_connections()) {
            (ProcessTarget::App, Some(app), _) => format!(" after {}", count(requests(app), "request")),
            (_, _, Some(open)) => format!(" with {} open", count(open, "connection")),
            _ => String::new(),
        }
    }

    /// The impact of an active fault, if it `holds`: the load must have used this path, and a probe must get no answer.
    pub async fn impact(
        self,
        context: &FaultContext,
        path: &Path,
        holds: bool,
        state: String,
        within: Duration,
    ) -> Impact {
        match (self, context.apps.first()) {
            (ProcessTarget::App, Some(app)) => {
                let seen = knock(app.address(), within).await;
                let (harm, evidence) = (holds && !matches!(seen, ProbeResult::Answered(_)), format!("{state}; {seen}"));
                if requests(app) > 0 {
                    Impact { bit: harm, evidence }
                } else {
                    Impact { bit: false, evidence: format!("{evidence}; the load never came this way") }
                }
            }
            _ => {
                let seen = path.ping(within).await;
                path.impact(holds && !matches!(seen, ProbeResult::Answered(_)), format!("{state}; {seen}"))
            }
        }
    }
}

pub(in crate::fault) fn requests(app: &AppProcess) -> u64 {
    app.requests().load(Relaxed)
}

/// Requests the health of the application at `address`. Any answer counts.
async fn knock(address: SocketAddr, within: Duration) -> ProbeResult {
    let begun = Instant::now();
    let exchange = async {
        let Ok(mut stream) = TcpStream::connect(address).await else { return ProbeResult::Refused };
        let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        match converse(&mut stream, request.as_bytes(), |come| !come.is_empty(), &mut Vec::new()).await {
            Ok(()) => ProbeResult::Answered(begun.elapsed()),
            Err(_) => ProbeResult::Closed,
        }
    };
    tokio::time::timeout(within, exchange).await.unwrap_or_else(|_| ProbeResult::Silent(begun.elapsed()))
}
