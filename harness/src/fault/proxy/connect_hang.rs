//! `proxy.connect-hang`: connecting neither succeeds nor is refused, as behind a firewall that drops SYNs. Only the
//! client's own deadline for connecting ends an attempt, which is another one than its deadline for calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::super::aim::Aim;
use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::path::{Path, Snapshot, count, millis};
use super::super::reach::{CONNECTIONS, ConnectionAge, Reach, TO};
use super::super::{Fault, FaultError, Impact};
use crate::lab::procfs;

/// `proxy.connect-hang`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ConnectHang {}

impl Kind for ConnectHang {
    const NAME: &'static str = "proxy.connect-hang";
    const HITS: Hits = Hits::Network;
    const REACH: &'static [&'static str] = &[CONNECTIONS, TO];
    const DOCS: Docs = Docs {
        about: "connecting hangs: an attempt neither succeeds nor is refused. Open connections are cut, or go on with \
                `connections = \"new\"`",
        seen_in: "a security group or firewall that drops SYNs, a host that is gone, a full accept queue",
        injected_by: "the proxy accepts nobody and fills its accept queue, so that Linux drops further SYNs",
        evidence: "a probe's attempt hangs, **and** attempts of the load do (sockets in SYN-SENT to the proxy's address)",
        undone_by: "the proxy accepts again; an attempt that hangs succeeds when the client's kernel next sends its SYN, 1, 3 \
                    or 7 s after the first",
    };

    fn check_reach(&self, reach: &Reach) -> Result<(), Flaw> {
        match reach.connections {
            Some(ConnectionAge::Open) => Err(Flaw::new(CONNECTIONS, "must be \"all\" or \"new\" here")),
            _ => Ok(()),
        }
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(ConnectHangFault {
            index: site.index,
            aim: Aim::new(site.index, site.context.clone()),
            context: site.context.clone(),
            reach: site.reach.clone(),
            before: Mutex::default(),
            most: AtomicU64::new(0),
        }))
    }
}

struct ConnectHangFault {
    index: u32,
    aim: Aim,
    context: FaultContext,
    reach: Reach,
    before: Mutex<Snapshot>,
    /// The most attempts of the load that hung at once.
    most: AtomicU64,
}

impl ConnectHangFault {
    /// Counts the attempts that hang now, and returns the most so far.
    fn hanging(&self, path: &Path) -> u64 {
        let now = path.address().map(procfs::attempts_to).unwrap_or_default();
        self.most.fetch_max(now, Relaxed).max(now)
    }

    fn words(&self, path: &Path) -> String {
        let before = *self.before.lock();
        let cut = path.damage(&before).cut;
        format!(
            "{} of the load hung at once, {} cut",
            count(self.most.load(Relaxed), "attempt"),
            count(cut, "open connection")
        )
    }
}

#[async_trait::async_trait]
impl Fault for ConnectHangFault {
    fn kind(&self) -> &'static str {
        ConnectHang::NAME
    }

    fn detail(&self) -> String {
        self.reach.words()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let path = self.aim.take().await?;
        *self.before.lock() = path.snapshot();
        self.most.store(0, Relaxed);
        self.context.holds.hanging.of(&path).take(self.index);
        path.proxy()?.set_hanging(true).await?;
        if self.reach.age() == ConnectionAge::All {
            path.cut().await?;
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let path = self.aim.path();
        if self.context.holds.hanging.of(&path).release(self.index) {
            path.proxy()?.set_hanging(false).await?;
        }
        self.aim.release();
        Ok(())
    }

    async fn impact(&self, within: Duration) -> Impact {
        let path = self.aim.path();
        // First, so that the probe's own attempt is not counted.
        let hanging = self.hanging(&path);
        let (hangs, seen) = match path.hangs(within.min(Duration::from_millis(200))).await {
            Some(after) => (true, format!("a probe's attempt to connect hung for {}", millis(after))),
            None => (false, "a probe's attempt to connect did not hang".to_owned()),
        };
        Impact { bit: hangs && hanging > 0, evidence: format!("{seen}; {}", self.words(&path)) }
    }

    fn damage(&self) -> Option<String> {
        let path = self.aim.path();
        self.hanging(&path);
        Some(self.words(&path))
    }
}
