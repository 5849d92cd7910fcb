//! What a proxy and its connections share.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use firedrill_timer::Timer;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::snapshot::Snapshot;
use super::stats::Counters;

/// What the connections of a proxy share.
pub(crate) struct Shared {
    pub seed: u64,
    /// Connections accepted, probes included: each draws its chances by its number.
    pub numbers: AtomicU64,
    /// What happens to clients.
    pub counters: Arc<Counters>,
    /// Counters for probes: never read.
    pub uncounted: Arc<Counters>,
    /// Addresses from which probes are about to connect.
    pub probes: Mutex<HashSet<SocketAddr>>,
    pub timer: Timer,
    /// Whether connections that are opened now are read.
    pub reads_commands: AtomicBool,
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl Shared {
    /// Where to count what happens to a connection from `client`.
    pub fn counters_of(&self, client: Option<SocketAddr>) -> Arc<Counters> {
        match client.is_some_and(|client| self.probes.lock().remove(&client)) {
            true => self.uncounted.clone(),
            false => self.counters.clone(),
        }
    }
}
