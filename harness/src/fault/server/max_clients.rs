//! `server.maxclients`: the server accepts no more connections, as when something has used them all up. The load's
//! connections are cut, and a new client gets "max number of clients reached" and is disconnected.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::refusing::Refusing;
use super::super::repeat::Repeat;
use super::super::settings::Setting;
use super::super::witness::Refusal;
use super::super::{Fault, FaultError, Impact};

/// The nemesis's own connection takes the only place.
const PLACES: u32 = 1;

/// How often the nemesis uses its connection, so that the server does not close it as idle and lose its place to
/// another client.
const KEEP: Duration = Duration::from_millis(500);

/// The number of attempts to regain a lost place.
const TRIES: u32 = 50;

/// Pause between two checks of the remaining clients.
const SETTLE: Duration = Duration::from_millis(20);

/// `server.maxclients`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MaxClients {}

impl Kind for MaxClients {
    const NAME: &'static str = "server.maxclients";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "no connection is available: the store's are cut, new ones get \"max number of clients reached\"",
        seen_in: "a connection leak, a deployment that doubles the number of instances, too small a plan",
        injected_by: "CONFIG SET `maxclients 1`, with the nemesis in the only place",
        evidence: "a probe gets this error (with TLS: it is closed before the handshake, without one), **and** the \
                   server has rejected more connections than the probes'",
        undone_by: "the setting is restored",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(MaxClientsFault::new(site.index, site.context.clone())?))
    }
}

pub(in crate::fault) struct MaxClientsFault {
    refusing: Arc<Refusing>,
    keeper: Repeat,
}

impl MaxClientsFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        let refusing = Arc::new(Refusing::new(index, context, Refusal::Connections)?);
        Ok(Self { refusing, keeper: Repeat::default() })
    }
}

impl MaxClientsFault {
    /// On a server that others use, keeps as many places as are taken, including the nemesis's own. If the harness is
    /// killed, its place is free for `firedrill heal`; with fewer places, other clients' connections would lock it out
    /// permanently.
    async fn leave_a_way_back(&self) -> Result<(), FaultError> {
        let handle = &self.refusing.handle;
        let mut taken = self.taken().await?;
        for _ in 0..TRIES {
            tokio::time::sleep(SETTLE).await;
            // The load's connections are cut, but the server may not have noticed all of it yet.
            let now = self.taken().await?;
            if now == taken {
                break;
            }
            taken = now;
        }
        handle.change(Setting::Config("maxclients"), taken.max(PLACES)).await
    }

    /// The number of connections on the server.
    async fn taken(&self) -> Result<u32, FaultError> {
        let remote = &self.refusing.handle.remote;
        let (clients, replicas) = (remote.info("clients").await?, remote.info("replication").await?);
        Ok(number(&clients, "connected_clients") + number(&replicas, "connected_slaves"))
    }
}

/// The number in a line like `connected_clients:3`; 0 if there is none.
fn number(info: &str, field: &str) -> u32 {
    let of = |line: &str| line.strip_prefix(field)?.strip_prefix(':')?.trim().parse().ok();
    info.lines().find_map(of).unwrap_or(0)
}

#[async_trait::async_trait]
impl Fault for MaxClientsFault {
    fn kind(&self) -> &'static str {
        MaxClients::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        // This also opens the nemesis's own connection.
        self.refusing.begin().await?;
        let handle = &self.refusing.handle;
        handle.change(Setting::Config("maxclients"), PLACES).await?;
        self.keeper.start(self.refusing.clone(), KEEP, |refusing| async move {
            let _ = refusing.handle.remote.query::<()>(&redis::cmd("PING")).await;
        });
        handle.context.path.cut().await?;
        if handle.context.lab.journal().is_some() {
            self.leave_a_way_back().await?;
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.keeper.stop().await;
        let handle = &self.refusing.handle;
        let mut tries = 1;
        loop {
            match handle.restore().await {
                Err(_) if tries < TRIES => tries += 1,
                result => return result,
            }
            // Only the load can have taken the place, so cut it again.
            handle.context.path.cut().await?;
        }
    }

    async fn impact(&self, within: Duration) -> Impact {
        self.refusing.refused(&redis::cmd("PING"), within).await
    }
}
