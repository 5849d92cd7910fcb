//! `sentinel.failover`: an operator's planned failover. The sentinels promote the replica and demote the primary, which
//! lives on. They close its clients' connections (CLIENT KILL TYPE normal); a client that connects to the old address
//! again is served, and its writes are refused with READONLY.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::handover::{By, Handover};
use super::super::kind::{Docs, FAILOVER, Hits, Kind, Unfit};
use super::super::{Fault, FaultError};
use crate::lab::{Persistence, Topology};
use crate::property::Property;

/// `sentinel.failover`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SentinelFailover {}

impl Kind for SentinelFailover {
    const NAME: &'static str = "sentinel.failover";
    const HITS: Hits = Hits::Sentinels;
    const DOCS: Docs = Docs {
        about: "a planned failover: the replica is promoted, and the old primary lives on, demoted, its clients' connections \
                closed. Only under `lab.topology = \"sentinel\"`",
        seen_in: "maintenance, a resize or an upgrade of a managed Redis, every month",
        injected_by: "SENTINEL FAILOVER",
        evidence: "the old primary says that it is a replica, **and** it had clients when the failover began",
        undone_by: "nothing: the new primary stays, as after maintenance. The sentinels are waited for",
    };

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        super::unfit_on(topology)
    }

    /// The sentinels do not wait until the replica has everything.
    fn breaks(&self, _: Topology, _: Persistence) -> Property {
        FAILOVER
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(Handover::new(Self::NAME, By::Sentinels, site.index, site.context.clone())))
    }
}
