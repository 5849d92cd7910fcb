//! `server.noreplicas`: too few replicas are there to take a write. The server refuses writes with NOREPLICAS and goes on
//! answering reads.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::{Refusal, Refusing, Setting};

/// More than any server has.
const REPLICAS: u32 = 1_000;

/// Seconds that a replica may lag and still count; with 0 the server would not count them at all.
const LAG: u32 = 10;

/// Parameters of `server.noreplicas`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoReplicas;

pub(in crate::fault) struct NoReplicasFault(Refusing);

impl NoReplicasFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        Refusing::new(index, context, Refusal::Commands(&["NOREPLICAS"])).map(Self)
    }
}

#[async_trait::async_trait]
impl Fault for NoReplicasFault {
    fn kind(&self) -> &'static str {
        "server.noreplicas"
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.0.begin().await?;
        self.0.hand.change(Setting::Config("min-replicas-max-lag"), LAG).await?;
        self.0.hand.change(Setting::Config("min-replicas-to-write"), REPLICAS).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.0.hand.give_back().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        self.0.write_refused(within).await
    }
}
