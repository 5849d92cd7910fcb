//! What a probe works on: a simulated server, and stores with the defect or without.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::planted::Planted;
use firedrill_storage::{BuiltStore, Policy, Randomness, RetryProfile, SessionData, SessionId, StoreBuilder};
use firedrill_storage_sim::network::SimNetwork;
use firedrill_storage_sim::record::{self, Items};
use firedrill_storage_sim::redis::path::Path;
use firedrill_storage_sim::redis::server::Server;
use firedrill_storage_sim::run::TokioClock;
use tokio::time::{Instant, sleep};

/// The deadline of a call.
pub const DEADLINE: Duration = Duration::from_millis(200);

/// One thread, and time that passes only while nothing else can happen.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

pub struct Bed {
    pub server: Server,
    began: Instant,
    planted: Option<&'static Planted>,
}

impl Bed {
    pub fn new(planted: Option<&'static Planted>) -> Self {
        record::set_up(true);
        Self { server: Server::new(1), began: Instant::now(), planted }
    }

    /// A way to the server, with faults of its own.
    pub fn path(&self) -> Arc<Path> {
        Path::new(&self.server, 1)
    }

    /// A store over this path, with the defect if there is one.
    pub fn settings(&self, path: &Arc<Path>) -> StoreBuilder {
        let builder = StoreBuilder {
            network: Some(Arc::new(SimNetwork(Arc::clone(path)))),
            randomness: Randomness::seeded(1),
            clock: Arc::new(TokioClock(self.began)),
            command_timeout: DEADLINE,
            connect_timeout: Duration::from_millis(150),
            retry: RetryProfile::doubling(Duration::from_millis(20), Duration::from_millis(100)),
            cleanup_every: None,
            ..StoreBuilder::new("redis://simulated")
        };
        match self.planted {
            Some(defect) => builder.planted(defect.name).unwrap(),
            None => builder,
        }
    }

    /// A store under `policy`, connected, and its path.
    pub async fn store(&self, policy: Policy) -> (BuiltStore<Items>, Arc<Path>) {
        let path = self.path();
        let store = self.build(StoreBuilder { policy, ..self.settings(&path) }).await;
        (store, path)
    }

    pub async fn build<D: SessionData>(&self, settings: StoreBuilder) -> BuiltStore<D> {
        let store = settings.build().unwrap();
        pass(50).await;
        store
    }

    /// Puts a value into a key, as another client does.
    pub fn set(&self, key: &str, value: &[u8]) {
        self.server.execute(0, &[b"SET".to_vec(), key.into(), value.to_vec()]);
    }
}

/// Lets this many milliseconds pass.
pub async fn pass(ms: u64) {
    sleep(Duration::from_millis(ms)).await;
}

/// Whether the fallback ends and Redis has everything within a while.
pub async fn settles<D: SessionData>(store: &BuiltStore<D>) -> bool {
    for _ in 0..400 {
        pass(50).await;
        let stats = store.fallback_stats();
        if !stats.active && stats.waiting == 0 {
            return true;
        }
    }
    false
}

pub fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

/// A session of Ada with these items.
pub fn items(numbers: &[u64]) -> Items {
    Items::new("ada", numbers)
}
