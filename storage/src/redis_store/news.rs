//! What a store's connections learn beside answers: that another server process serves now, which may lack what the one
//! before had acknowledged; and that another process has destroyed a session.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::defect::{self, Defect};

type OnGone = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Shared by every connection of a store.
pub(crate) struct News {
    /// Changes of the server process so far.
    boots: watch::Sender<u64>,
    /// Connections put to use so far.
    connections: AtomicU64,
    /// What every key of a tombstone begins with; `None`: not wanted.
    prefix: Option<String>,
    gone: OnceLock<OnGone>,
}

impl News {
    /// `prefix`: of the tombstones to hear of, if any.
    pub(crate) fn new(prefix: Option<String>) -> Self {
        Self { boots: watch::Sender::new(0), connections: AtomicU64::new(0), prefix, gone: OnceLock::new() }
    }

    /// What to ask a server to tell of; `None`: nothing.
    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Calls `gone` from now on with the key of each tombstone that another process writes. It must not block.
    pub(crate) fn on_gone(&self, gone: impl Fn(&[u8]) + Send + Sync + 'static) {
        // The first one stays: a store has one fallback.
        let _ = self.gone.set(Box::new(gone));
    }

    /// The server says that this key was changed.
    pub(super) fn changed(&self, key: &[u8]) {
        if let Some(gone) = self.gone.get().filter(|_| !defect::has(Defect::Deaf)) {
            gone(key);
        }
    }

    /// Another process serves from now on. To be called before any call reaches it.
    pub(super) fn another_boot(&self) {
        self.boots.send_modify(|boots| *boots += 1);
    }

    /// A connection is put to use.
    pub(super) fn another_connection(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    /// Changes of the server process so far.
    pub(crate) fn boot(&self) -> u64 {
        *self.boots.borrow()
    }

    /// To wait for the next change.
    pub(crate) fn boots(&self) -> watch::Receiver<u64> {
        self.boots.subscribe()
    }

    /// Connections put to use so far.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}
