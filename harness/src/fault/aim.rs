//! Which server a fault hits if several take over from one another: one that takes writes when it begins, and the same one
//! until its end, even if another server leads by then. Overlapping faults hit the same server. A single server is always that one.

use std::sync::Arc;

use parking_lot::Mutex;

use super::FaultError;
use super::context::FaultContext;
use super::path::Path;

/// One fault's aim at a server.
pub(super) struct Aim {
    fault: u32,
    context: FaultContext,
    /// `None` while the fault is not on.
    path: Mutex<Option<Arc<Path>>>,
}

impl Aim {
    /// The aim of the fault at this position in the scenario.
    pub fn new(fault: u32, context: FaultContext) -> Self {
        Self { fault, context, path: Mutex::default() }
    }

    /// Aims, and returns the path of the load to the server that is hit.
    ///
    /// # Errors
    /// As [`Lab::aim`](crate::lab::Lab::aim).
    pub async fn take(&self) -> Result<Arc<Path>, FaultError> {
        let path = self.context.aim(self.fault).await?;
        *self.path.lock() = Some(path.clone());
        Ok(path)
    }

    /// The path to the server that the fault hits; before it has aimed, to the first one.
    pub fn path(&self) -> Arc<Path> {
        self.path.lock().clone().unwrap_or_else(|| self.context.path.clone())
    }

    /// The fault is over: the next one may hit another server.
    pub fn release(&self) {
        *self.path.lock() = None;
        self.context.aimed.release(self.fault);
    }
}
