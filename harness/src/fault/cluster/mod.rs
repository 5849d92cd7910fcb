//! Faults of a cluster.

pub(super) mod failover;
pub(super) mod migrate_slots;
pub(super) mod restart;

use super::kind::Unfit;
use crate::lab::Topology;

/// Why a fault of a cluster cannot be injected in this topology.
fn unfit_on(topology: Topology) -> Option<Unfit> {
    (topology != Topology::Cluster)
        .then_some(Unfit { why: "there is no cluster", cure: "set lab.topology = \"cluster\"" })
}
