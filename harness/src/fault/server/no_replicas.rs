//! `server.noreplicas`: there are too few replicas to accept a write. The server refuses writes with NOREPLICAS but
//! still answers reads.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::refusing::Refusing;
use super::super::settings::Setting;
use super::super::witness::Refusal;
use super::super::{Fault, FaultError, Impact};

/// More than any server has.
const REPLICAS: u32 = 1_000;

/// How many seconds a replica may lag and still count; with 0 the server would not count replicas at all.
const LAG: u32 = 10;

/// `server.noreplicas`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NoReplicas {}

impl Kind for NoReplicas {
    const NAME: &'static str = "server.noreplicas";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "Redis refuses writes with NOREPLICAS and answers reads",
        seen_in: "a replica that is lost or lags where `min-replicas-to-write` is set",
        injected_by: "CONFIG SET `min-replicas-to-write` (and `min-replicas-max-lag`)",
        evidence: "a probe's write gets NOREPLICAS, **and** so did writes of others",
        undone_by: "both settings are restored",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(NoReplicasFault::new(site.index, site.context.clone())?))
    }
}

pub(in crate::fault) struct NoReplicasFault(Refusing);

impl NoReplicasFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        Refusing::new(index, context, Refusal::Commands(&["NOREPLICAS"])).map(Self)
    }
}

#[async_trait::async_trait]
impl Fault for NoReplicasFault {
    fn kind(&self) -> &'static str {
        NoReplicas::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.0.begin().await?;
        self.0.handle.change(Setting::Config("min-replicas-max-lag"), LAG).await?;
        self.0.handle.change(Setting::Config("min-replicas-to-write"), REPLICAS).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.0.handle.restore().await
    }

    async fn impact(&self, within: Duration) -> Impact {
        self.0.write_refused(within).await
    }
}
