//! Which server a fault hits when several can take over from one another: one that accepts writes when the fault
//! begins, and the same one until it ends, even if another server leads by then. Overlapping faults hit the same
//! server. A single server is always the one.

use std::sync::Arc;

use parking_lot::Mutex;

use super::FaultError;
use super::context::FaultContext;
use super::path::Path;

/// One fault's aim at a server.
pub(super) struct Aim {
    fault: u32,
    context: FaultContext,
    /// `None` while the fault is inactive.
    path: Mutex<Option<Arc<Path>>>,
}

impl Aim {
    /// The aim of the fault at position `fault` in the scenario.
    pub fn new(fault: u32, context: FaultContext) -> Self {
        Self { fault, context, path: Mutex::default() }
    }

    /// Aims the fault, and returns the load's path to the server it will hit.
    ///
    /// # Errors
    /// Same as [`Lab::aim`](crate::lab::Lab::aim).
    pub async fn take(&self) -> Result<Arc<Path>, FaultError> {
        let path = self.context.aim(self.fault).await?;
        *self.path.lock() = Some(path.clone());
        Ok(path)
    }

    /// The path to the server that the fault hits; to the first server until the fault has aimed.
    pub fn path(&self) -> Arc<Path> {
        self.path.lock().clone().unwrap_or_else(|| self.context.path.clone())
    }

    /// Ends the fault's aim: the next occurrence may hit another server.
    pub fn release(&self) {
        *self.path.lock() = None;
        self.context.aimed.release(self.fault);
    }
}
