//! `process.stop`: the server stands still (SIGSTOP) with all its connections open, then runs on (SIGCONT) as if nothing
//! had been: what was sent to it meanwhile is carried out late.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::path::{Seen, count};
use super::super::{Bite, Fault, FaultError};
use crate::lab::{LabError, ProcessState, ServerProcess};

const KIND: &str = "process.stop";

/// Parameters of `process.stop`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

pub(in crate::fault) struct StopFault {
    index: u32,
    context: FaultContext,
}

impl StopFault {
    pub fn new(index: u32, context: FaultContext) -> Self {
        Self { index, context }
    }

    fn process(&self) -> Result<&dyn ServerProcess, FaultError> {
        Ok(self.context.lab.process(KIND)?)
    }
}

#[async_trait::async_trait]
impl Fault for StopFault {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let process = self.process()?;
        self.context.holds.aim(process).await?;
        self.context.holds.stopped.take(self.index);
        match process.pause().await {
            Err(LabError::NotRunning { .. }) if self.context.holds.dead.is_taken() => {
                Err(FaultError::Overlaps { fault: KIND, by: "process.kill or process.power-loss" })
            }
            result => Ok(result?),
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if self.context.holds.stopped.release(self.index) {
            self.process()?.resume().await?;
        }
        Ok(())
    }

    async fn proof(&self, within: Duration) -> Bite {
        let (stopped, pid) = match self.process() {
            Ok(process) => (process.state() == ProcessState::Stopped, process.pid()),
            Err(_) => (false, None),
        };
        let seen = self.context.path.ping(within.min(Duration::from_millis(200))).await;
        let state = match (stopped, pid) {
            (true, Some(pid)) => {
                let open = self.context.path.open_connections();
                let open = open.map(|open| format!(" with {} open", count(open, "connection")));
                format!("redis-server (pid {pid}) stands still{}", open.unwrap_or_default())
            }
            _ => "redis-server does not stand still".to_owned(),
        };
        self.context.path.bite(stopped && !matches!(seen, Seen::Answered(_)), format!("{state}; {seen}"))
    }
}
