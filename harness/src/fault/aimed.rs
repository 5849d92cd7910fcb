//! The server that each active fault hits: overlapping faults hit the same one.

use std::sync::Arc;

use parking_lot::Mutex;

use super::path::Path;

/// The servers hit by the active faults.
#[derive(Default)]
pub(super) struct Aimed {
    paths: Mutex<Vec<(u32, Arc<Path>)>>,
    /// Serialises aiming: a second fault must wait until the first has aimed.
    pub turn: tokio::sync::Mutex<()>,
}

impl Aimed {
    /// The path to the server hit by a fault other than `fault`.
    pub fn by_another(&self, fault: u32) -> Option<Arc<Path>> {
        self.paths.lock().iter().find(|(other, _)| *other != fault).map(|(_, path)| path.clone())
    }

    /// Records that `fault` hits the server at the end of `path`.
    pub fn hold(&self, fault: u32, path: Arc<Path>) {
        self.release(fault);
        self.paths.lock().push((fault, path));
    }

    /// Records that `fault` is over.
    pub fn release(&self, fault: u32) {
        self.paths.lock().retain(|(other, _)| *other != fault);
    }
}
