//! A paused server, and the connection that can resume it.

use tokio::sync::Mutex;

use super::overlay::Hold;
use crate::lab::ServerConnection;

/// Whether the server is paused, and by which faults.
#[derive(Default)]
pub(super) struct Paused {
    pub hold: Hold,
    pub line: Mutex<Option<ServerConnection>>,
    /// The pause's entries in the journal.
    pub announced: parking_lot::Mutex<Vec<u64>>,
}
