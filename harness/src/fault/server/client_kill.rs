//! `server.client-kill`: Redis closes every client's connection, again and again, and takes new ones at once. It is never
//! away, but nobody answers what was under way, and the store cannot know whether that took effect.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::closing::Closing;
use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::refusing::ServerHandle;
use super::super::repeat::Repeat;
use super::super::{Fault, FaultError, Impact};
use crate::units::Span;

/// More often, and a client on a busy machine hardly gets to log in.
const LEAST: Duration = Duration::from_millis(10);

/// How long after its time a kill may come on a busy machine.
const LATE: Duration = Duration::from_secs(3);

/// Parameters of `server.client-kill`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClientKill {
    /// The time between two kills, at least 10 ms.
    #[serde(default = "ten_a_second")]
    pub every: Span,
}

fn ten_a_second() -> Span {
    Span::millis(100)
}

impl Kind for ClientKill {
    const NAME: &'static str = "server.client-kill";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "Redis closes all clients' connections, again and again, and takes new ones at once",
        seen_in: "CLIENT KILL by an operator or a failover tool, client eviction (`maxmemory-clients`), a hosted Redis that \
                  moves its clients to another front end",
        injected_by: "CLIENT KILL TYPE normal, sparing the nemesis",
        evidence: "a probe's connection is closed, **and** connections of the load have ended",
        undone_by: "no further connection is killed; clients connect again by themselves",
    };

    fn check(&self) -> Result<(), Flaw> {
        match self.every.0 >= LEAST {
            true => Ok(()),
            false => Err(Flaw::new("every", format!("must be at least \"{}\"", Span(LEAST)))),
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(ClientKillFault::new(site.index, *self, site.context.clone())?))
    }
}

pub(in crate::fault) struct ClientKillFault {
    spec: ClientKill,
    handle: Arc<ServerHandle>,
    kills: Repeat,
    closing: Closing,
}

impl ClientKillFault {
    pub fn new(index: u32, spec: ClientKill, context: FaultContext) -> Result<Self, FaultError> {
        let handle = Arc::new(ServerHandle::new(index, context.clone())?);
        Ok(Self { spec, handle, kills: Repeat::default(), closing: Closing::new(context) })
    }
}

/// Replicas stay. The connection that says so stays too: it is the nemesis's.
fn kill() -> redis::Cmd {
    redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes").clone()
}

#[async_trait::async_trait]
impl Fault for ClientKillFault {
    fn kind(&self) -> &'static str {
        ClientKill::NAME
    }

    fn detail(&self) -> String {
        format!("every {}", self.spec.every)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.closing.begin();
        // A server that does not allow it says so here.
        self.handle.remote.query::<u64>(&kill()).await?;
        self.kills.start(self.handle.clone(), self.spec.every.0, |handle| async move {
            if let Err(error) = handle.remote.query::<u64>(&kill()).await {
                tracing::debug!(%error, "the clients could not be killed");
            }
        });
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.kills.stop().await;
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        self.closing.impact(within.min(self.spec.every.0 + LATE), "").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_often_that_nobody_could_log_in_is_refused() {
        let check = |ms| Kind::check(&ClientKill { every: Span::millis(ms) });
        assert_eq!(check(10), Ok(()));
        assert_eq!(check(9).unwrap_err().to_string(), "`every` must be at least \"10ms\"");
    }
}
