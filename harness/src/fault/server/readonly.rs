//! `server.readonly`: the server becomes a replica, as after a failover that the clients did not notice. It refuses writes
//! with READONLY and goes on answering reads; then it is again what it was.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::{Refusal, Refusing, Setting};

/// Whom it replicates meanwhile: nobody. The address is of a block that is never given out (RFC 5737), because a server
/// that found somebody there would throw away its data for theirs.
const NOBODY: &str = "192.0.2.1 1";

/// Parameters of `server.readonly`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readonly;

pub(in crate::fault) struct ReadonlyFault(Refusing);

impl ReadonlyFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        Refusing::new(index, context, Refusal::Commands(&["READONLY"])).map(Self)
    }
}

#[async_trait::async_trait]
impl Fault for ReadonlyFault {
    fn kind(&self) -> &'static str {
        "server.readonly"
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.0.begin().await?;
        self.0.hand.change(Setting::Primary, NOBODY).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.0.hand.give_back().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        self.0.write_refused(within).await
    }
}
