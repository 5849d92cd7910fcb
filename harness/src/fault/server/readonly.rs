//! `server.readonly`: the server becomes a replica, as after a failover that clients did not notice. It refuses writes
//! with READONLY but still answers reads; afterwards it becomes what it was.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::refusing::Refusing;
use super::super::settings::Setting;
use super::super::witness::Refusal;
use super::super::{Fault, FaultError, Impact};

/// The primary to replicate during the fault: none. The address is from a block that is never assigned (RFC 5737),
/// because a server that found a primary there would replace its data.
const NOBODY: &str = "192.0.2.1 1";

/// `server.readonly`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Readonly {}

impl Kind for Readonly {
    const NAME: &'static str = "server.readonly";
    const HITS: Hits = Hits::Server;
    const DOCS: Docs = Docs {
        about: "Redis refuses writes with READONLY and answers reads, as after a failover that the clients did not notice",
        seen_in: "a managed Redis that fails over while clients keep their connections to the old primary",
        injected_by: "REPLICAOF to an unused address (RFC 5737)",
        evidence: "a probe's write gets READONLY, **and** the server has counted more such refusals than the probes'",
        undone_by: "REPLICAOF to its former primary, or NO ONE",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(ReadonlyFault::new(site.index, site.context.clone())?))
    }
}

pub(in crate::fault) struct ReadonlyFault(Refusing);

impl ReadonlyFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        Refusing::new(index, context, Refusal::Commands(&["READONLY"])).map(Self)
    }
}

#[async_trait::async_trait]
impl Fault for ReadonlyFault {
    fn kind(&self) -> &'static str {
        Readonly::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.0.begin().await?;
        self.0.handle.change(Setting::Primary, NOBODY).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.0.handle.restore().await
    }

    async fn impact(&self, within: Duration) -> Impact {
        self.0.write_refused(within).await
    }
}
