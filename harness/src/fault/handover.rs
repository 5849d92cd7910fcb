//! A planned failover, as before maintenance: a replica is promoted although the primary is well, and the old primary
//! lives on as its replica. It stays so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::aim::Aim;
use super::clients::clients_of;
use super::context::FaultContext;
use super::path::{count, millis};
use super::{Fault, FaultError, Impact};
use crate::lab::{Lab, LabError, Server};

/// Pause between two looks at the old primary's role.
pub(super) const POLL: Duration = Duration::from_millis(20);

/// The evidence that no failover took place.
pub(super) const NOBODY_ELSE: &str = "no other server leads";

/// Who promotes the replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The sentinels (SENTINEL FAILOVER).
    Sentinels,
    /// The replica itself, together with its primary (CLUSTER FAILOVER).
    Replica,
}

/// Asks a replica of a cluster's `primary` to take its slots over.
///
/// # Errors
/// Same as [`Lab::replica_of`] and [`Admin::query`](crate::lab::Admin::query): among others, the replica may not be
/// connected.
pub(super) async fn ask_the_replica(lab: &Lab, primary: &Arc<dyn Server>) -> Result<(), LabError> {
    let replica = lab.replica_of(primary).await?;
    replica.admin().query::<()>(redis::cmd("CLUSTER").arg("FAILOVER")).await
}

/// Returns once `server` is no primary any more. The caller has a deadline.
///
/// # Errors
/// Same as [`Admin::query`](crate::lab::Admin::query).
pub(super) async fn demoted(server: &dyn Server) -> Result<(), LabError> {
    while server.admin().info().await?.role == "master" {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// The fault.
pub(super) struct Handover {
    kind: &'static str,
    by: By,
    context: FaultContext,
    aim: Aim,
    done: Mutex<Option<Done>>,
}

/// A failover that took place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// From the request until another server led.
    pub took: Duration,
    /// The clients of the old primary at the request.
    pub clients: u64,
}

impl Done {
    /// Its impact: the `old` primary lives on, and had clients.
    pub async fn impact(self, old: &dyn Server) -> Impact {
        let role = old.admin().info().await.map(|info| info.role);
        let now = match &role {
            Ok(role) => format!("it lives on, its role is \"{role}\" now"),
            Err(error) => format!("it does not answer: {error}"),
        };
        let (took, clients_then) = (millis(self.took), count(self.clients, "client"));
        let evidence = format!("another server led {took} later; the old primary had {clients_then}, and {now}");
        Impact { bit: role.is_ok() && self.clients > 0, evidence }
    }
}

impl Handover {
    /// A failover `by` these, on behalf of a fault of that `kind`.
    pub fn new(kind: &'static str, by: By, index: u32, context: FaultContext) -> Self {
        Self { kind, by, aim: Aim::new(index, context.clone()), context, done: Mutex::default() }
    }

    /// Whether a server still accepts writes, by the word of those that decide it.
    async fn leads(&self, server: &Arc<dyn Server>) -> Result<bool, LabError> {
        let lab = &self.context.lab;
        Ok(lab.leading().await?.iter().any(|at| Arc::ptr_eq(&lab.servers()[*at], server)))
    }

    async fn ask_for_it(&self, primary: &Arc<dyn Server>) -> Result<(), FaultError> {
        let lab = &self.context.lab;
        match self.by {
            By::Sentinels => lab.sentinels().ok_or_else(|| lab.lacks(self.kind))?.fail_over().await?,
            By::Replica => ask_the_replica(lab, primary).await?,
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Fault for Handover {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let path = self.aim.take().await?;
        *self.done.lock() = None;
        let clients = clients_of(&**path.server()).await?;
        let begun = Instant::now();
        self.ask_for_it(path.server()).await?;
        // The nemesis gives up after its own deadline.
        while self.leads(path.server()).await? {
            tokio::time::sleep(POLL).await;
        }
        *self.done.lock() = Some(Done { took: begun.elapsed(), clients });
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        // Sentinels demote the old primary only when it has called itself a primary for 8 s.
        if self.done.lock().is_some() {
            demoted(&**self.aim.path().server()).await?;
        }
        if let Some(sentinels) = self.context.lab.sentinels().filter(|_| self.by == By::Sentinels) {
            sentinels.together().await?;
        }
        *self.done.lock() = None;
        self.aim.release();
        Ok(())
    }

    async fn impact(&self, _within: Duration) -> Impact {
        let done = *self.done.lock();
        match done {
            Some(done) => done.impact(&**self.aim.path().server()).await,
            None => Impact { bit: false, evidence: NOBODY_ELSE.to_owned() },
        }
    }
}
