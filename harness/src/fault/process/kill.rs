//! `process.kill`: the server dies without warning (SIGKILL), stays dead for the fault's time, and is then started again
//! at the same port, on its data or on an empty disk. It is over when the server serves again, its data loaded.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::death::Death;

const KIND: &str = "process.kill";

/// Parameters of `process.kill`. The fault's time is the time the server stays dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// What becomes of what it had written to disk.
    pub data: DiskData,
}

impl Kill {
    /// It finds its data again.
    pub const KEEP: Kill = Kill { data: DiskData::Keep };
    /// It finds nothing.
    pub const LOSE: Kill = Kill { data: DiskData::Lose };
}

/// What becomes of the data on the server's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiskData {
    /// It is there at the next start.
    #[default]
    Keep,
    /// It is gone, as with a container that had no volume or a machine that was replaced.
    Lose,
}

pub(in crate::fault) struct KillFault {
    spec: Kill,
    context: FaultContext,
    death: Death,
}

impl KillFault {
    /// # Errors
    /// [`LabError::NotOurs`](crate::lab::LabError::NotOurs) where the data is to go and lies elsewhere.
    pub fn new(index: u32, spec: Kill, context: FaultContext) -> Result<Self, FaultError> {
        if spec.data == DiskData::Lose {
            context.lab.own_server(KIND)?;
        }
        Ok(Self { spec, context: context.clone(), death: Death::new(KIND, index, context) })
    }
}

#[async_trait::async_trait]
impl Fault for KillFault {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn detail(&self) -> String {
        match self.spec.data {
            DiskData::Keep => String::new(),
            DiskData::Lose => "its data lost".to_owned(),
        }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.death.kill().await?;
        if self.spec.data == DiskData::Lose {
            self.context.lab.own_server(KIND)?.discard_data().await?;
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.death.end().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let also = match self.spec.data {
            DiskData::Keep => "",
            DiskData::Lose => ", its files deleted",
        };
        self.death.proof(also, within).await
    }
}
