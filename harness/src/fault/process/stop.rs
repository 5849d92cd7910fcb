//! `process.stop` and `app.stop`: the process stands still (SIGSTOP) with all its connections open, then runs on (SIGCONT)
//! as if nothing had been: what was sent to it meanwhile is carried out late.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::victim::Victim;
use crate::lab::{LabError, ProcessState, ServerProcess};

/// Parameters of `process.stop`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

/// Parameters of `app.stop`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppStop;

pub(in crate::fault) struct StopFault {
    index: u32,
    victim: Victim,
    context: FaultContext,
}

impl StopFault {
    pub fn new(index: u32, victim: Victim, context: FaultContext) -> Self {
        Self { index, victim, context }
    }

    fn process(&self) -> Result<&dyn ServerProcess, FaultError> {
        self.victim.process(&self.context, self.kind())
    }
}

#[async_trait::async_trait]
impl Fault for StopFault {
    fn kind(&self) -> &'static str {
        match self.victim {
            Victim::Redis => "process.stop",
            Victim::App => "app.stop",
        }
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let (holds, process) = (&self.context.holds, self.process()?);
        self.victim.stopped(holds).take(self.index);
        match process.pause().await {
            Err(LabError::NotRunning { .. }) if self.victim.dead(holds).is_taken() => {
                Err(FaultError::Overlaps { fault: self.kind(), by: self.victim.killers() })
            }
            result => Ok(result?),
        }
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if self.victim.stopped(&self.context.holds).release(self.index) {
            self.process()?.resume().await?;
        }
        Ok(())
    }

    async fn proof(&self, within: Duration) -> Bite {
        let (stopped, pid) = match self.process() {
            Ok(process) => (process.state() == ProcessState::Stopped, process.pid()),
            Err(_) => (false, None),
        };
        let name = self.victim.name();
        let state = match (stopped, pid) {
            (true, Some(pid)) => {
                format!("{name} (pid {pid}) stands still{}", self.victim.use_by_load(&self.context))
            }
            _ => format!("{name} does not stand still"),
        };
        self.victim.bite(&self.context, stopped, state, within.min(Duration::from_millis(200))).await
    }
}
