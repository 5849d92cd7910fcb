//! A server that is paused, and the line on which it can be told to go on.

use tokio::sync::Mutex;

use super::overlay::Hold;
use crate::lab::ServerConnection;

/// Whether the server is paused, and by whom.
#[derive(Default)]
pub(super) struct Paused {
    pub hold: Hold,
    pub line: Mutex<Option<ServerConnection>>,
    /// The pause's numbers in the journal.
    pub announced: parking_lot::Mutex<Vec<u64>>,
}
