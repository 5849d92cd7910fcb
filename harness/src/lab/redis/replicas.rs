//! A server and two replicas. It shows what a second copy costs: every write is sent twice, and after a restart of the
//! server both replicas copy all its data again.

use super::replica::start;
use super::topology_kind::{Reached, TopologyKind};

/// Its description.
pub const KIND: TopologyKind = TopologyKind {
    name: "replicas",
    about: "One server and two replicas; nothing promotes them.",
    servers: "a server and two replicas; nothing promotes them",
    processes: 3,
    proxied: 1,
    reached: Reached::Plainly,
    fails_over: false,
    start: |config| Box::pin(start(config, 2)),
    find: None,
};
