//! What a store's connections learn besides replies: that another server process serves now, which may lack what the
//! last one acknowledged; and that another process has destroyed a session.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::planted;

type OnGone = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Shared by every connection of a store.
pub(crate) struct News {
    /// Changes of the server process so far.
    boots: watch::Sender<u64>,
    /// Connections put into use so far.
    connections: AtomicU64,
    /// The beginning of every tombstone's key; `None`: tombstones are not reported.
    prefix: Option<String>,
    gone: OnceLock<OnGone>,
}

impl News {
    /// `prefix`: that of the tombstones to report, if any.
    pub(crate) fn new(prefix: Option<String>) -> Self {
        Self { boots: watch::Sender::new(0), connections: AtomicU64::new(0), prefix, gone: OnceLock::new() }
    }

    /// The prefix of keys that a server should report; `None`: none.
    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// From now on, calls `gone` with the key of each tombstone that another process writes. It must not block.
    pub(crate) fn on_gone(&self, gone: impl Fn(&[u8]) + Send + Sync + 'static) {
        // The first callback stays: a store has one fallback.
        let _ = self.gone.set(Box::new(gone));
    }

    /// Reports that the server has announced a change of this key.
    pub(super) fn changed(&self, key: &[u8]) {
        if let Some(gone) = self.gone.get().filter(|_| !planted::seam!(deaf_to_destroys)) {
            gone(key);
        }
    }

    /// Records that another process serves from now on. Call it before any call reaches that process.
    pub(super) fn another_boot(&self) {
        self.boots.send_modify(|boots| *boots += 1);
    }

    /// Records that a connection is put into use.
    pub(super) fn another_connection(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    /// Changes of the server process so far.
    pub(crate) fn boot(&self) -> u64 {
        *self.boots.borrow()
    }

    /// For waiting until the next change.
    pub(crate) fn boots(&self) -> watch::Receiver<u64> {
        self.boots.subscribe()
    }

    /// Connections put into use so far.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}
