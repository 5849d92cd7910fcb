//! The server dead and started again: what the faults share that kill it.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::path::{Seen, count};
use super::super::{Bite, FaultError};
use crate::lab::{LabError, ProcessState, ServerProcess};

/// One fault's hold on the server's life.
pub(super) struct Death {
    kind: &'static str,
    index: u32,
    context: FaultContext,
    victim: Mutex<Victim>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Victim {
    pid: Option<u32>,
    connections: Option<u64>,
}

impl Death {
    pub fn new(kind: &'static str, index: u32, context: FaultContext) -> Self {
        Self { kind, index, context, victim: Mutex::default() }
    }

    fn process(&self) -> Result<&dyn ServerProcess, FaultError> {
        Ok(self.context.lab.process(self.kind)?)
    }

    /// Kills the server and returns when it is gone.
    pub async fn kill(&self) -> Result<(), FaultError> {
        let process = self.process()?;
        self.context.holds.aim(process).await?;
        *self.victim.lock() = Victim { pid: process.pid(), connections: self.context.path.open_connections() };
        let shared = self.context.holds.dead.take(self.index);
        match process.kill().await {
            // Another fault keeps it dead already; this one may keep it so for longer.
            Err(LabError::NotRunning { .. }) if shared => Ok(()),
            result => Ok(result?),
        }
    }

    /// Starts the server again if no other fault wants it dead, and returns when it serves.
    pub async fn end(&self) -> Result<(), FaultError> {
        if self.context.holds.dead.release(self.index) {
            self.process()?.ensure_running().await?;
        }
        Ok(())
    }

    /// Whether the load's way leads nowhere because the process is gone. `also` is what else there is to tell.
    pub async fn proof(&self, also: &str, within: Duration) -> Bite {
        let dead = self.process().is_ok_and(|process| process.state() == ProcessState::Dead);
        let seen = self.context.path.ping(within.min(Duration::from_millis(500))).await;
        let Victim { pid, connections } = *self.victim.lock();
        let state = match (dead, pid) {
            (true, Some(pid)) => {
                let open = connections.map(|open| format!(" with {} open", count(open, "connection")));
                format!("redis-server (pid {pid}) gone{}{also}", open.unwrap_or_default())
            }
            _ => "redis-server still there".to_owned(),
        };
        self.context.path.bite(dead && !matches!(seen, Seen::Answered(_)), format!("{state}; {seen}"))
    }
}
