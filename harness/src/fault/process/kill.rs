//! `process.kill`: the server dies without warning (SIGKILL), stays dead for the fault's time, and is then started again
//! on its data at the same port. It is over when the server serves again, its data loaded.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::path::{Seen, count};
use super::super::{Bite, Fault, FaultError};
use crate::lab::{LabError, ProcessState, ServerProcess};

const KIND: &str = "process.kill";

/// Parameters of `process.kill`: none. The fault's time is the time the server stays dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill;

pub(in crate::fault) struct KillFault {
    index: u32,
    context: FaultContext,
    victim: Mutex<Victim>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Victim {
    pid: Option<u32>,
    connections: u64,
}

impl KillFault {
    pub fn new(index: u32, context: FaultContext) -> Self {
        Self { index, context, victim: Mutex::default() }
    }

    fn process(&self) -> Result<&dyn ServerProcess, FaultError> {
        Ok(self.context.lab.process(KIND)?)
    }
}

#[async_trait::async_trait]
impl Fault for KillFault {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let process = self.process()?;
        *self.victim.lock() = Victim { pid: process.pid(), connections: self.context.path.open_connections() };
        let shared = self.context.holds.dead.take(self.index);
        match process.kill().await {
            // Another fault keeps it dead already; this one may keep it so for longer.
            Err(LabError::NotRunning { .. }) if shared => Ok(()),
            result => Ok(result?),
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if self.context.holds.dead.release(self.index) {
            self.process()?.ensure_running().await?;
        }
        Ok(())
    }

    async fn proof(&self, within: Duration) -> Bite {
        let dead = self.process().is_ok_and(|process| process.state() == ProcessState::Dead);
        let seen = self.context.path.ping(within.min(Duration::from_millis(500))).await;
        let Victim { pid, connections } = *self.victim.lock();
        let state = match (dead, pid) {
            (true, Some(pid)) => {
                format!("redis-server (pid {pid}) gone with {} open", count(connections, "connection"))
            }
            _ => "redis-server still there".to_owned(),
        };
        self.context.path.bite(dead && !matches!(seen, Seen::Answered(_)), format!("{state}; {seen}"))
    }
}
