//! `cluster.failover`: a planned failover within a cluster. A replica takes its primary's slots over, and the primary
//! lives on as its replica: clients are redirected with MOVED.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::context::Site;
use super::super::handover::{By, Handover};
use super::super::kind::{Docs, Hits, Kind, Unfit};
use super::super::{Fault, FaultError};
use crate::lab::Topology;

/// `cluster.failover`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClusterFailover {}

impl Kind for ClusterFailover {
    const NAME: &'static str = "cluster.failover";
    const HITS: Hits = Hits::Cluster;
    const DOCS: Docs = Docs {
        about: "a planned failover of one primary: its replica takes its slots over, and it lives on, demoted. Only under \
                `lab.topology = \"cluster\"`",
        seen_in: "maintenance, a rolling upgrade of a cluster",
        injected_by: "CLUSTER FAILOVER on the replica: the primary holds its clients back until the replica has everything",
        evidence: "the cluster names another primary for the slots, **and** the old one lives on and had clients when the failover began",
        undone_by: "nothing: the new primary stays, as after maintenance",
    };

    fn unfit_on(&self, topology: Topology) -> Option<Unfit> {
        super::unfit_on(topology)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(Handover::new(Self::NAME, By::Replica, site.index, site.context.clone())))
    }
}
