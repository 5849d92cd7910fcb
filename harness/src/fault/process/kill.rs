//! `process.kill` and `app.kill`: the process dies without warning (SIGKILL), stays dead for the fault's time, and is then
//! started again at the same port: a server on its data or on an empty disk, the application with an empty memory. It is
//! over when the process serves again, a server with its data loaded.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::death::Death;
use super::victim::Victim;

const KIND: &str = "process.kill";
const APP_KIND: &str = "app.kill";

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

/// Parameters of `app.kill`: none. The fault's time is the time the application stays dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppKill;

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
    kind: &'static str,
    /// An application has no disk: it keeps nothing that could be lost.
    data: DiskData,
    context: FaultContext,
    death: Death,
}

impl KillFault {
    /// The death of the server.
    ///
    /// # Errors
    /// [`LabError::NotOurs`](crate::lab::LabError::NotOurs) where the data is to go and lies elsewhere.
    pub fn new(index: u32, spec: Kill, context: FaultContext) -> Result<Self, FaultError> {
        if spec.data == DiskData::Lose {
            context.lab.own_server(KIND)?;
        }
        let death = Death::new(KIND, Victim::Redis, index, context.clone());
        Ok(Self { kind: KIND, data: spec.data, context, death })
    }

    /// The death of the application.
    pub fn of_app(index: u32, context: FaultContext) -> Self {
        let death = Death::new(APP_KIND, Victim::App, index, context.clone());
        Self { kind: APP_KIND, data: DiskData::Keep, context, death }
    }
}

#[async_trait::async_trait]
impl Fault for KillFault {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn detail(&self) -> String {
        match self.data {
            DiskData::Keep => String::new(),
            DiskData::Lose => "its data lost".to_owned(),
        }
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.death.kill().await?;
        if self.data == DiskData::Lose {
            self.context.lab.own_server(self.kind)?.discard_data().await?;
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.death.end().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        let also = match self.data {
            DiskData::Keep => "",
            DiskData::Lose => ", its files deleted",
        };
        self.death.proof(also, within).await
    }
}
