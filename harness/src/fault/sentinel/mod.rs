//! Faults of the sentinels.

pub(super) mod failover;
pub(super) mod kill;

use super::kind::Unfit;
use crate::lab::Topology;

/// Why a fault of the sentinels cannot be injected in this topology.
fn unfit_on(topology: Topology) -> Option<Unfit> {
    (topology != Topology::Sentinel)
        .then_some(Unfit { why: "there are no sentinels", cure: "set lab.topology = \"sentinel\"" })
}
