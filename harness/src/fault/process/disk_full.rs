//! `process.disk-full`: the server's disk is full. Its files can no longer grow (RLIMIT_FSIZE), so it cannot write its
//! append-only file or its snapshot. It refuses writes with MISCONF but still answers reads.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind, Shortage, Unfit};
use super::super::refusing::Refusing;
use super::super::witness::Refusal;
use super::super::{Fault, FaultError, Impact};
use crate::lab::{LabError, Persistence, RedisFailure, ServerError};

/// Pause between two checks whether Redis has noticed.
const PAUSE: Duration = Duration::from_millis(20);

/// Lifetime of the key that is written to make Redis notice.
const LIFE_MS: u64 = 60_000;

/// `process.disk-full`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DiskFull {}

impl Kind for DiskFull {
    const NAME: &'static str = "process.disk-full";
    const HITS: Hits = Hits::Process;
    const ASKS_FOR: &'static [Shortage] = &[Shortage::Disk];
    const DOCS: Docs = Docs {
        about: "the disk is full: writes are refused with MISCONF, reads work",
        seen_in: "a log that fills the volume, a snapshot that needs twice the space, a quota",
        injected_by: "RLIMIT_FSIZE of the running process is set to the length of its append-only file (prlimit(2), Linux)",
        evidence: "a probe's write gets MISCONF, **and** so did writes of others",
        undone_by: "the limit is lifted, and Redis accepts writes again",
    };

    fn unfit_for(&self, persistence: Persistence) -> Option<Unfit> {
        match persistence {
            Persistence::AofAlways => Some(Unfit {
                why: "with aof-always Redis exits when it cannot write, and never answers with MISCONF",
                cure: "set lab.redis.persistence to aof-everysec, aof-no or rdb; to see Redis gone, use process.kill",
            }),
            Persistence::None => Some(Unfit {
                why: "without persistence nothing is written to the disk, full or not",
                cure: "set lab.redis.persistence to aof-everysec, aof-no or rdb",
            }),
            Persistence::AofEverysec | Persistence::AofNo | Persistence::Rdb => None,
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(DiskFullFault::new(site.index, site.context.clone())?))
    }
}

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

    /// With snapshots only, nothing is written and nothing fails until a snapshot is due, so this requests one.
    async fn write_to_disk(&self) -> Result<(), FaultError> {
        if self.context.path.server().own_for(DiskFull::NAME)?.persistence().has_append_file() {
            return Ok(());
        }
        match self.refusing.query::<String>(&redis::cmd("BGSAVE")).await {
            // A snapshot is already in progress.
            Ok(_) | Err(LabError::Redis(RedisFailure::Refused { .. })) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether Redis refuses a write that must reach the disk.
    async fn refuses(&self) -> Result<bool, FaultError> {
        let mut write = redis::cmd("SET");
        write.arg(format!("{}fault:disk", self.context.lab.prefix())).arg("").arg("PX").arg(LIFE_MS);
        match self.refusing.query::<()>(&write).await {
            Ok(()) => Ok(false),
            Err(LabError::Redis(RedisFailure::Refused { answer, .. })) if answer.contains("MISCONF") => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait::async_trait]
impl Fault for DiskFullFault {
    fn kind(&self) -> &'static str {
        DiskFull::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.context.holds.full.take(self.index);
        let server = self.context.path.server().own_for(DiskFull::NAME)?;
        // Not a byte more than is already there; a snapshot is a new file.
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
        match self.context.path.server().own_for(DiskFull::NAME)?.limit_files(None) {
            // A restarted process has no limit.
            Ok(()) | Err(LabError::Server(ServerError::NotRunning { .. })) => {}
            Err(error) => return Err(error.into()),
        }
        while self.refuses().await? {
            self.write_to_disk().await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        self.refusing.write_refused(within).await
    }
}
