//! `proxy.down`: Redis is off the network. Open connections are cut and new ones refused until the port reopens.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use serde::{Deserialize, Serialize};

use super::super::aim::Aim;
use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::path::{ProbeResult, Snapshot, count};
use super::super::{Fault, FaultError, Impact};

/// `proxy.down`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Down {}

impl Kind for Down {
    const NAME: &'static str = "proxy.down";
    const HITS: Hits = Hits::Network;
    const DOCS: Docs = Docs {
        about: "Redis is off the network: connections are cut, new ones refused",
        seen_in: "a Redis that is restarted or replaced, a closed port, a security group that was changed",
        injected_by: "the fault proxy closes its port and all connections",
        evidence: "a probe is refused a connection on a path that the load has used; the number of connections cut is reported",
        undone_by: "the port is opened again",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(DownFault::new(site.index, site.context.clone())))
    }
}

pub(in crate::fault) struct DownFault {
    index: u32,
    context: FaultContext,
    aim: Aim,
    before: Mutex<Snapshot>,
}

impl DownFault {
    pub fn new(index: u32, context: FaultContext) -> Self {
        Self { index, aim: Aim::new(index, context.clone()), context, before: Mutex::default() }
    }

    /// What happened to the load's connections, in words.
    fn cut(&self) -> String {
        let before = *self.before.lock();
        let damage = self.aim.path().damage(&before);
        damage.hit(damage.cut, format!("{} cut", count(damage.cut, "open connection"))).1
    }
}

#[async_trait::async_trait]
impl Fault for DownFault {
    fn kind(&self) -> &'static str {
        Down::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let path = self.aim.take().await?;
        *self.before.lock() = path.snapshot();
        self.context.holds.down.take(self.index);
        Ok(path.proxy()?.set_enabled(false).await?)
    }

    async fn heal(&self) -> Result<(), FaultError> {
        if self.context.holds.down.release(self.index) {
            self.aim.path().proxy()?.set_enabled(true).await?;
        }
        self.aim.release();
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        let path = self.aim.path();
        let seen = path.ping(within.min(Duration::from_millis(500))).await;
        let evidence = format!("{}; {seen}", self.cut());
        path.impact(seen == ProbeResult::Refused, evidence)
    }
}
