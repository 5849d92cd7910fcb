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
    /// The server behind the proxy, host:port, to which new connections lead.
    pub upstream: Mutex<Arc<str>>,
    /// The number of connections accepted, including probes; a connection's number seeds its random draws.
    pub numbers: AtomicU64,
    /// Counters for clients.
    pub counters: Arc<Counters>,
    /// Counters for probes; never read.
    pub uncounted: Arc<Counters>,
    /// The source addresses of announced probes.
    pub probes: Mutex<HashSet<SocketAddr>>,
    pub timer: Timer,
    /// Whether the commands of new connections are read.
    pub reads_commands: AtomicBool,
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl Shared {
    /// The counters for a connection from `client`.
    pub fn counters_of(&self, client: Option<SocketAddr>) -> Arc<Counters> {
        match client.is_some_and(|client| self.probes.lock().remove(&client)) {
            true => self.uncounted.clone(),
            false => self.counters.clone(),
        }
    }
}
