//! Which server each active fault hits: overlapping faults hit the same one.

use std::sync::Arc;

use parking_lot::Mutex;

use super::path::Path;

/// The servers that the faults hit that are on.
#[derive(Default)]
pub(super) struct Aimed {
    paths: Mutex<Vec<(u32, Arc<Path>)>>,
    /// Serialises aiming: the second fault must not aim before the first has.
    pub turn: tokio::sync::Mutex<()>,
}

impl Aimed {
    /// The path to what another fault than `fault` hits.
    pub fn by_another(&self, fault: u32) -> Option<Arc<Path>> {
        self.paths.lock().iter().find(|(other, _)| *other != fault).map(|(_, path)| path.clone())
    }

    /// `fault` hits the server at the end of `path`.
    pub fn hold(&self, fault: u32, path: Arc<Path>) {
        self.release(fault);
        self.paths.lock().push((fault, path));
    }

    /// `fault` is over.
    pub fn release(&self, fault: u32) {
        self.paths.lock().retain(|(other, _)| *other != fault);
    }
}
