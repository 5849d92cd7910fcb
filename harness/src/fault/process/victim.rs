//! Whose process a fault hits, and how one sees that the load has felt it.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::super::context::{FaultContext, Holds};
use super::super::hold::Hold;
use super::super::path::{Seen, converse, count};
use super::super::{Bite, FaultError};
use crate::lab::{AppProcess, ServerProcess};

/// Whose process is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fault) enum Victim {
    /// Redis's.
    Redis,
    /// The application's.
    App,
}

impl Victim {
    /// What people know it as.
    pub fn name(self) -> &'static str {
        match self {
            Victim::Redis => "redis-server",
            Victim::App => "session-server",
        }
    }

    /// The process, for a fault of kind `fault`.
    pub fn process<'c>(
        self,
        context: &'c FaultContext,
        fault: &'static str,
    ) -> Result<&'c dyn ServerProcess, FaultError> {
        match self {
            Victim::Redis => Ok(context.lab.process(fault)?),
            Victim::App => match &context.app {
                Some(app) => Ok(app.as_ref()),
                None => Err(FaultError::NoApp { fault }),
            },
        }
    }

    /// Who keeps it dead.
    pub fn dead(self, holds: &Holds) -> &Hold {
        match self {
            Victim::Redis => &holds.dead,
            Victim::App => &holds.app_dead,
        }
    }

    /// The kinds of faults that may keep it dead.
    pub fn killers(self) -> &'static str {
        match self {
            Victim::Redis => "process.kill or process.power-loss",
            Victim::App => "app.kill",
        }
    }

    /// Who keeps it stopped.
    pub fn stopped(self, holds: &Holds) -> &Hold {
        match self {
            Victim::Redis => &holds.stopped,
            Victim::App => &holds.app_stopped,
        }
    }

    /// How much the load uses it now, for people, with a space in front; nothing where nobody counts it.
    pub fn use_by_load(self, context: &FaultContext) -> String {
        match (self, &context.app, context.path.open_connections()) {
            (Victim::App, Some(app), _) => format!(" after {}", count(requests(app), "request")),
            (_, _, Some(open)) => format!(" with {} open", count(open, "connection")),
            _ => String::new(),
        }
    }

    /// The bite of a fault that holds, where `holds`: the load must have come this way, and a probe must get no answer.
    pub async fn bite(self, context: &FaultContext, holds: bool, state: String, within: Duration) -> Bite {
        match (self, &context.app) {
            (Victim::App, Some(app)) => {
                let seen = knock(app.address(), within).await;
                let (harm, evidence) = (holds && !matches!(seen, Seen::Answered(_)), format!("{state}; {seen}"));
                if requests(app) > 0 {
                    Bite { bit: harm, evidence }
                } else {
                    Bite { bit: false, evidence: format!("{evidence}; the load never came this way") }
                }
            }
            _ => {
                let seen = context.path.ping(within).await;
                context.path.bite(holds && !matches!(seen, Seen::Answered(_)), format!("{state}; {seen}"))
            }
        }
    }
}

fn requests(app: &AppProcess) -> u64 {
    app.requests().load(Relaxed)
}

/// Asks the application at `address` for its health. Any answer counts.
async fn knock(address: SocketAddr, within: Duration) -> Seen {
    let begun = Instant::now();
    let exchange = async {
        let Ok(mut stream) = TcpStream::connect(address).await else { return Seen::Refused };
        let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        match converse(&mut stream, request.as_bytes(), |come| !come.is_empty(), &mut Vec::new()).await {
            Ok(()) => Seen::Answered(begun.elapsed()),
            Err(_) => Seen::Closed,
        }
    };
    tokio::time::timeout(within, exchange).await.unwrap_or_else(|_| Seen::Silent(begun.elapsed()))
}
