//! `process.kill` and `app.kill`: the process dies without warning (SIGKILL), stays dead for the fault's time, and is then
//! started again at the same port: a server on its data, the application with an empty memory. It is over when the
//! process serves again.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::victim::Victim;
use crate::lab::{LabError, ProcessState, ServerProcess};

/// Parameters of `process.kill`: none. The fault's time is the time the server stays dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill;

/// Parameters of `app.kill`: none. The fault's time is the time the application stays dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppKill;

pub(in crate::fault) struct KillFault {
    index: u32,
    victim: Victim,
    context: FaultContext,
    last: Mutex<Last>,
}

/// The process as it was before.
#[derive(Debug, Clone, Default)]
struct Last {
    pid: Option<u32>,
    used: String,
}

impl KillFault {
    pub fn new(index: u32, victim: Victim, context: FaultContext) -> Self {
        Self { index, victim, context, last: Mutex::default() }
    }

    fn process(&self) -> Result<&dyn ServerProcess, FaultError> {
        self.victim.process(&self.context, self.kind())
    }
}

#[async_trait::async_trait]
impl Fault for KillFault {
    fn kind(&self) -> &'static str {
        match self.victim {
            Victim::Redis => "process.kill",
            Victim::App => "app.kill",
        }
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let process = self.process()?;
        *self.last.lock() = Last { pid: process.pid(), used: self.victim.use_by_load(&self.context) };
        let shared = self.victim.dead(&self.context.holds).take(self.index);
        match process.kill().await {
            // Another fault keeps it dead already; this one may keep it so for longer.
            Err(LabError::NotRunning { .. }) if shared => Ok(()),
            result => Ok(result?),
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if self.victim.dead(&self.context.holds).release(self.index) {
            self.process()?.ensure_running().await?;
        }
        Ok(())
    }

    async fn proof(&self, within: Duration) -> Bite {
        let dead = self.process().is_ok_and(|process| process.state() == ProcessState::Dead);
        let Last { pid, used } = self.last.lock().clone();
        let name = self.victim.name();
        let state = match (dead, pid) {
            (true, Some(pid)) => format!("{name} (pid {pid}) gone {used}"),
            _ => format!("{name} still there"),
        };
        self.victim.bite(&self.context, dead, state, within.min(Duration::from_millis(500))).await
    }
}
