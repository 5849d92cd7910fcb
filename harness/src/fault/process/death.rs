//! A process dead and started again: what the faults share that kill one.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::{Bite, FaultError};
use super::victim::Victim;
use crate::lab::{LabError, ProcessState, ServerProcess};

/// One fault's hold on a process's life.
pub(super) struct Death {
    kind: &'static str,
    victim: Victim,
    index: u32,
    context: FaultContext,
    last: Mutex<Last>,
}

/// The process as it was before.
#[derive(Debug, Clone, Default)]
struct Last {
    pid: Option<u32>,
    used: String,
}

impl Death {
    pub fn new(kind: &'static str, victim: Victim, index: u32, context: FaultContext) -> Self {
        Self { kind, victim, index, context, last: Mutex::default() }
    }

    fn process(&self) -> Result<&dyn ServerProcess, FaultError> {
        self.victim.process(&self.context, self.kind)
    }

    /// Kills the process and returns when it is gone.
    pub async fn kill(&self) -> Result<(), FaultError> {
        let process = self.process()?;
        *self.last.lock() = Last { pid: process.pid(), used: self.victim.use_by_load(&self.context) };
        let shared = self.victim.dead(&self.context.holds).take(self.index);
        match process.kill().await {
            // Another fault keeps it dead already; this one may keep it so for longer.
            Err(LabError::NotRunning { .. }) if shared => Ok(()),
            result => Ok(result?),
        }
    }

    /// Starts the process again if no other fault wants it dead, and returns when it serves.
    pub async fn end(&self) -> Result<(), FaultError> {
        if self.victim.dead(&self.context.holds).release(self.index) {
            self.process()?.ensure_running().await?;
        }
        Ok(())
    }

    /// Whether the load's way leads nowhere because the process is gone. `also` is what else there is to tell.
    pub async fn proof(&self, also: &str, within: Duration) -> Bite {
        let dead = self.process().is_ok_and(|process| process.state() == ProcessState::Dead);
        let Last { pid, used } = self.last.lock().clone();
        let name = self.victim.name();
        let state = match (dead, pid) {
            (true, Some(pid)) => format!("{name} (pid {pid}) gone{used}{also}"),
            _ => format!("{name} still there"),
        };
        self.victim.bite(&self.context, dead, state, within.min(Duration::from_millis(500))).await
    }
}
