//! `sentinel.failover`: an operator's planned failover. The sentinels promote the replica although the primary is well. The old
//! primary lives on and goes on calling itself a primary: only after 8 s do the sentinels make it a replica and close its
//! clients' connections (sentinel.c, `+convert-to-slave`). What it takes until then it discards.

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
        about: "a planned failover: the replica is promoted, and the old primary lives on. It takes writes for some 8 s more, until the \
                sentinels make it a replica and it discards them. Only under `lab.topology = \"sentinel\"`",
        seen_in: "maintenance, a resize or an upgrade of a managed Redis, every month",
        injected_by: "SENTINEL FAILOVER",
        evidence: "the sentinels name another primary, **and** the old one lives on and had clients when the failover began",
        undone_by: "nothing: the new primary stays, as after maintenance. Healing waits until the old one is its replica",
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
