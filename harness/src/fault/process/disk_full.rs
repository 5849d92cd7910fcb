//! `process.disk-full`: the server's disk is full. Its files may not grow any more (RLIMIT_FSIZE): it cannot write its
//! append-only file, or its snapshot, and refuses writes with MISCONF while it goes on answering reads.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::server::{Refusal, Refusing};
use super::super::{Bite, Fault, FaultError};
use crate::lab::LabError;

const KIND: &str = "process.disk-full";

/// Between two looks at whether Redis has noticed.
const PAUSE: Duration = Duration::from_millis(20);

/// How long the key lives that is written to make it notice.
const LIFE_MS: u64 = 60_000;

/// Parameters of `process.disk-full`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskFull;

pub(in crate::fault) struct DiskFullFault {
    index: u32,
    context: FaultContext,
    refusing: Refusing,
}

impl DiskFullFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        let refusing = Refusing::new(index, context.clone(), Refusal::Commands(&["MISCONF"]))?;
        Ok(Self { index, context, refusing })
    }

    /// Where there are snapshots only, nothing is written, and nothing fails, until one is due.
    async fn write_to_disk(&self) -> Result<(), FaultError> {
        if self.context.lab.own_server(KIND)?.persistence().has_append_file() {
            return Ok(());
        }
        match self.refusing.query::<String>(&redis::cmd("BGSAVE")).await {
            // One is being made already.
            Ok(_) | Err(LabError::Refused { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether Redis refuses a write that would have to reach the disk.
    async fn refuses(&self) -> Result<bool, FaultError> {
        let mut write = redis::cmd("SET");
        write.arg(format!("{}fault:disk", self.context.lab.prefix())).arg("").arg("PX").arg(LIFE_MS);
        match self.refusing.query::<()>(&write).await {
            Ok(()) => Ok(false),
            Err(LabError::Refused { answer, .. }) if answer.contains("MISCONF") => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait::async_trait]
impl Fault for DiskFullFault {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.context.holds.full.take(self.index);
        let server = self.context.lab.own_server(KIND)?;
        // Not a byte more than there is; a snapshot is a new file.
        let full = server.append_file().length().map_or(0, |length| length.bytes);
        server.limit_files(Some(full))?;
        while !self.refuses().await? {
            self.write_to_disk().await?;
            tokio::time::sleep(PAUSE).await;
        }
        self.refusing.begin().await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if !self.context.holds.full.release(self.index) {
            return Ok(());
        }
        match self.context.lab.own_server(KIND)?.limit_files(None) {
            // A process that is started anew has no limit.
            Ok(()) | Err(LabError::NotRunning { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        while self.refuses().await? {
            self.write_to_disk().await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn proof(&self, within: Duration) -> Bite {
        self.refusing.write_refused(within).await
    }
}
