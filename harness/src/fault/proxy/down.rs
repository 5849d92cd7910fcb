//! `proxy.down`: Redis is off the network. Open connections are cut and new ones refused, until the port opens again.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::path::{Seen, Snapshot, count};
use super::super::{Bite, Fault, FaultError};

/// Parameters of `proxy.down`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Down;

pub(in crate::fault) struct DownFault {
    index: u32,
    context: FaultContext,
    before: Mutex<Snapshot>,
}

impl DownFault {
    pub fn new(index: u32, context: FaultContext) -> Self {
        Self { index, context, before: Mutex::default() }
    }

    /// What became of the load's connections, for people.
    fn cut(&self) -> String {
        let before = *self.before.lock();
        let toll = self.context.path.toll(&before);
        toll.hit(toll.cut, format!("{} cut", count(toll.cut, "open connection"))).1
    }
}

#[async_trait::async_trait]
impl Fault for DownFault {
    fn kind(&self) -> &'static str {
        "proxy.down"
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        *self.before.lock() = self.context.path.snapshot();
        self.context.holds.down.take(self.index);
        Ok(self.context.path.proxy().set_enabled(false).await?)
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if self.context.holds.down.release(self.index) {
            self.context.path.proxy().set_enabled(true).await?;
        }
        Ok(())
    }

    async fn proof(&self, within: Duration) -> Bite {
        let seen = self.context.path.ping(within.min(Duration::from_millis(500))).await;
        let evidence = format!("{}; {seen}", self.cut());
        self.context.path.bite(seen == Seen::Refused, evidence)
    }
}
