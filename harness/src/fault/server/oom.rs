//! `server.oom`: the memory is full and nothing may be evicted. Whatever would need memory is refused with OOM, while
//! reads, deletions and EXPIRE work.

use std::time::Duration;

use super::super::context::FaultContext;
use super::super::{Bite, Fault, FaultError};
use super::{Refusal, Refusing, Setting};

/// Bytes: any server uses more.
const LIMIT: u64 = 1;

/// Parameters of `server.oom`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oom;

pub(in crate::fault) struct OomFault(Refusing);

impl OomFault {
    pub fn new(index: u32, context: FaultContext) -> Result<Self, FaultError> {
        Refusing::new(index, context, Refusal::Commands(&["OOM"])).map(Self)
    }
}

#[async_trait::async_trait]
impl Fault for OomFault {
    fn kind(&self) -> &'static str {
        "server.oom"
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        self.0.begin().await?;
        // The policy first: under another one so low a limit would empty the server.
        self.0.hand.change(Setting::Config("maxmemory-policy"), "noeviction").await?;
        self.0.hand.change(Setting::Config("maxmemory"), LIMIT).await
    }

    async fn heal(&self) -> Result<(), FaultError> {
        self.0.hand.give_back().await
    }

    async fn proof(&self, within: Duration) -> Bite {
        self.0.write_refused(within).await
    }
}
