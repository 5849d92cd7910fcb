//! Kills and restarts a process, for the faults that do so.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::aim::Aim;
use super::super::context::FaultContext;
use super::super::path::Path;
use super::super::{FaultError, Impact};
use super::target::ProcessTarget;
use crate::lab::{LabError, ProcessState, ServerError, ServerProcess};

/// One fault's hold on the life of a process.
pub(super) struct Death {
    kind: &'static str,
    target: ProcessTarget,
    index: u32,
    context: FaultContext,
    aim: Aim,
    last: Mutex<Last>,
}

/// The state of the process before its death.
#[derive(Debug, Clone, Default)]
struct Last {
    pid: Option<u32>,
    used: String,
}

impl Death {
    pub fn new(kind: &'static str, target: ProcessTarget, index: u32, context: FaultContext) -> Self {
        Self { kind, target, index, aim: Aim::new(index, context.clone()), context, last: Mutex::default() }
    }

    fn process<'a>(&'a self, path: &'a Path) -> Result<&'a dyn ServerProcess, FaultError> {
        self.target.process(&self.context, path, self.kind)
    }

    /// Kills the process and returns once it is gone.
    pub async fn kill(&self) -> Result<(), FaultError> {
        let path = self.aim.take().await?;
        let process = self.process(&path)?;
        *self.last.lock() = Last { pid: process.pid(), used: self.target.use_by_load(&self.context, &path) };
        let shared = self.target.dead(&self.context).take(self.index);
        match process.kill().await {
            // Another fault already keeps it dead; this one may do so for longer.
            Err(LabError::Server(ServerError::NotRunning { .. })) if shared => Ok(()),
            result => Ok(result?),
        }
    }

    /// Restarts the process unless another fault keeps it dead, and returns once it serves.
    pub async fn end(&self) -> Result<(), FaultError> {
        if self.target.dead(&self.context).release(self.index) {
            self.process(&self.aim.path())?.ensure_running().await?;
        }
        self.aim.release();
        Ok(())
    }

    /// Whether the load's path leads nowhere because the process is gone. `also` is added to the evidence.
    pub async fn impact(&self, also: &str, within: Duration) -> Impact {
        let path = self.aim.path();
        let dead = self.process(&path).is_ok_and(|process| process.state() == ProcessState::Dead);
        let Last { pid, used } = self.last.lock().clone();
        let name = self.target.name(&self.context);
        let state = match (dead, pid) {
            (true, Some(pid)) => format!("{name} (pid {pid}) gone{used}{also}"),
            _ => format!("{name} still there"),
        };
        self.target.impact(&self.context, &path, dead, state, within.min(Duration::from_millis(500))).await
    }
}
