//! `server.promote`: an operator promotes a replica by hand and points the name of Redis at it. The old primary lives on
//! as its replica. Connections that were open stay with the old primary, which refuses their writes; new ones lead to the
//! new one, as when the address behind a name has changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::super::clients::clients_of;
use super::super::context::{FaultContext, Site};
use super::super::handover::{Done, NOBODY_ELSE, POLL, demoted};
use super::super::kind::{Docs, FAILOVER, Hits, Kind, Unfit};
use super::super::{Fault, FaultError, Impact};
use crate::lab::{LabError, Persistence, Server, Topology};
use crate::property::Property;

/// Parameters of `server.promote`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Promote {
    /// Whether writes are held back until the replica has everything. If not, what had not reached it is lost, and so is
    /// what the old primary takes until it is demoted.
    #[serde(default = "yes")]
    pub waits: bool,
}

fn yes() -> bool {
    true
}

impl Kind for Promote {
    const NAME: &'static str = "server.promote";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "a replica is promoted by hand, and new connections lead to it. Open ones stay with the old primary, which is its \
                replica now and refuses writes with READONLY. Only under `lab.topology = \"replica\"` or `\"replicas\"`",
        seen_in: "maintenance without Sentinel, a runbook for a lost zone, a managed Redis that moves its DNS name",
        injected_by: "FAILOVER (Redis 6.2 or later), or with `waits = false` REPLICAOF NO ONE on the replica and REPLICAOF on the \
                      old primary; the fault proxy leads new connections elsewhere",
        evidence: "the replica leads, **and** the old primary lives on and had clients when it was demoted",
        undone_by: "the same way back with FAILOVER, so that nothing is lost by healing. Connections that are open then have to \
                    move once more",
    };

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        (!matches!(topology, Topology::Replica | Topology::Replicas)).then_some(Unfit {
            why: "there is no replica that an operator would promote by hand",
            cure: "set lab.topology = \"replica\"",
        })
    }

    fn breaks(&self, _: Topology, _: Persistence) -> Property {
        if self.waits { Property::empty() } else { FAILOVER }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        let servers = site.context.lab.servers();
        let (Some(first), Some(second)) = (servers.first(), servers.get(1)) else {
            return Err(site.context.lab.lacks(Self::NAME).into());
        };
        Ok(Arc::new(Promotion {
            spec: *self,
            index: site.index,
            context: site.context.clone(),
            old: first.clone(),
            new: second.clone(),
            done: Mutex::default(),
            to_undo: Mutex::default(),
        }))
    }
}

struct Promotion {
    spec: Promote,
    index: u32,
    context: FaultContext,
    /// The primary outside of the fault.
    old: Arc<dyn Server>,
    /// The primary while the fault is on.
    new: Arc<dyn Server>,
    done: Mutex<Option<Done>>,
    /// Whether an injection has begun that healing has not undone.
    to_undo: Mutex<bool>,
}

/// REPLICAOF or FAILOVER TO, followed by the address of `server`.
fn naming(mut command: redis::Cmd, server: &dyn Server) -> redis::Cmd {
    command.arg(server.url().host()).arg(server.url().port());
    command
}

/// Hands over from one server to another, which gets every write first. The caller has a deadline.
async fn hand_over(from: &dyn Server, to: &dyn Server) -> Result<(), LabError> {
    let mut failover = redis::cmd("FAILOVER");
    failover.arg("TO");
    let failover = naming(failover, to);
    // Refused while the replica is not connected.
    while let Err(error) = from.admin().query::<()>(&failover).await {
        if !error.to_string().contains("is not online") && !error.to_string().contains("is not a replica") {
            return Err(error);
        }
        tokio::time::sleep(POLL).await;
    }
    demoted(from).await
}

impl Promotion {
    /// Where `server` is, as the proxy addresses it.
    async fn lead_new_ones_to(&self, server: &dyn Server) -> Result<(), FaultError> {
        Ok(self.context.path.proxy()?.redirect(&server.url().address()).await?)
    }

    async fn promote(&self) -> Result<(), FaultError> {
        if self.spec.waits {
            hand_over(&*self.old, &*self.new).await?;
            return self.lead_new_ones_to(&*self.new).await;
        }
        self.new.admin().query::<()>(redis::cmd("REPLICAOF").arg("NO").arg("ONE")).await?;
        self.lead_new_ones_to(&*self.new).await?;
        self.old.admin().query::<()>(&naming(redis::cmd("REPLICAOF"), &*self.new)).await?;
        Ok(demoted(&*self.old).await?)
    }

    /// Makes the first server the primary again, also after a promotion that failed halfway.
    async fn demote(&self) -> Result<(), FaultError> {
        let leads =
            async |server: &dyn Server| -> Result<bool, LabError> { Ok(server.admin().info().await?.role == "master") };
        match (leads(&*self.old).await?, leads(&*self.new).await?) {
            (false, _) => hand_over(&*self.new, &*self.old).await?,
            (true, true) => self.new.admin().query::<()>(&naming(redis::cmd("REPLICAOF"), &*self.old)).await?,
            (true, false) => {}
        }
        self.lead_new_ones_to(&*self.old).await
    }
}

#[async_trait::async_trait]
impl Fault for Promotion {
    fn kind(&self) -> &'static str {
        Promote::NAME
    }

    fn detail(&self) -> String {
        if self.spec.waits { String::new() } else { "without waiting for the replica".to_owned() }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let clients = clients_of(&*self.old).await?;
        let begun = Instant::now();
        *self.to_undo.lock() = true;
        // Another fault may have promoted it before.
        if !self.context.holds.promoted.take(self.index) {
            self.promote().await?;
        }
        *self.done.lock() = Some(Done { took: begun.elapsed(), clients });
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if !*self.to_undo.lock() {
            return Ok(());
        }
        if self.context.holds.promoted.release(self.index) {
            self.demote().await?;
        }
        *self.to_undo.lock() = false;
        *self.done.lock() = None;
        Ok(())
    }

    async fn impact(&self, _within: Duration) -> Impact {
        let done = *self.done.lock();
        match done {
            Some(done) => done.impact(&*self.old).await,
            None => Impact { bit: false, evidence: NOBODY_ELSE.to_owned() },
        }
    }
}
