//! `proxy.down`: Redis is off the network. Open connections are cut and new ones refused until the port reopens.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use serde::{Deserialize, Serialize};

use super::super::aim::Aim;
use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::path::{Damage, ProbeResult, Snapshot, count};
use super::super::reach;
use super::super::{Fault, FaultError, Impact};
use super::stream::Stream;
use super::toxic::{ByToxic, Harm, Probe, ProbeKind};
use crate::proxy::toxic::{self, Toxic};

/// `proxy.down`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Down {}

impl Kind for Down {
    const NAME: &'static str = "proxy.down";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = reach::ANY;
    const DOCS: Docs = Docs {
        about: "Redis is off the network: connections are cut, new ones refused",
        seen_in: "a Redis that is restarted or replaced, a closed port, a security group that was changed",
        injected_by: "the fault proxy closes its port and all connections",
        evidence: "a probe is refused a connection on a path that the load has used; the number of connections cut is reported. \
                   With `toxicity` or `connections` the port stays open, the affected connections are closed at once, \
                   and the proxy counts those it cut",
        undone_by: "the port is opened again",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        if site.reach.is_partial() {
            return Ok(self.fault(site));
        }
        Ok(Arc::new(DownFault::new(site.index, site.context.clone())))
    }
}

/// Where only a part of the connections is down, the port stays open: each affected connection is closed at once.
impl ByToxic for Down {
    fn stream(&self) -> Stream {
        Stream::Upstream
    }

    fn toxic(&self) -> Toxic {
        toxic::Timeout { timeout: 1 }.into()
    }

    fn detail(&self) -> String {
        String::new()
    }

    fn probe(&self) -> Probe {
        Probe { what: ProbeKind::Ping, patience: Duration::from_millis(500) }
    }

    fn felt(&self, seen: ProbeResult) -> bool {
        seen == ProbeResult::Closed
    }

    fn harm(&self, damage: &Damage) -> Harm {
        Harm::cut(damage, "cut")
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
        self.context.holds.down.of(&path).take(self.index);
        Ok(path.proxy()?.set_enabled(false).await?)
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let path = self.aim.path();
        if self.context.holds.down.of(&path).release(self.index) {
            path.proxy()?.set_enabled(true).await?;
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
