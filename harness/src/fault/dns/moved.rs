//! `dns.moved`: Redis is at another address now, and its name says so. The old address is closed. A store that looks the name
//! up when it connects is away for a moment; one that keeps the address it once found is away for as long as the fault lasts.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::super::aim::Aim;
use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Hits, Kind};
use super::super::path::{Path, ProbeResult, count};
use super::super::{Fault, FaultError, Impact};
use super::{answer, usual};
use crate::lab::LabError;
use crate::names::Answer;
use crate::relay::{Relay, carry};

/// `dns.moved`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DnsMoved {}

impl Kind for DnsMoved {
    const NAME: &'static str = "dns.moved";
    const HITS: Hits = Hits::Address;
    const DOCS: Docs = Docs {
        about: "Redis has another address, and its name leads there: open connections are cut, the old address is closed, the same \
                data is at the new one. For the store, and on Linux for an application that the drill starts",
        seen_in: "a managed Redis that replaces a node, a pod that is rescheduled, a load balancer that changes its addresses",
        injected_by: "the store's own resolver, which the drill gives it, or a hosts file that the application alone finds (mount \
                      namespace); a second port leads to Redis, and the fault proxy closes its own",
        evidence: "a probe of the old address is refused a connection on a path that the load has used; the number of connections that \
                   came to the new one is reported",
        undone_by: "the old address is opened, the name leads there, and connections to the new one are cut",
    };

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(DnsMovedFault {
            index: site.index,
            aim: Aim::new(site.index, site.context.clone()),
            context: site.context.clone(),
            relay: Mutex::default(),
            came: Arc::default(),
        }))
    }
}

struct DnsMovedFault {
    index: u32,
    aim: Aim,
    context: FaultContext,
    /// The new address.
    relay: Mutex<Option<Relay>>,
    /// Connections that came there.
    came: Arc<AtomicU64>,
}

impl DnsMovedFault {
    /// Where Redis is to be: at any free port. A hosts file knows no ports, so there it is the old port at another address of
    /// loopback, one per fault.
    fn new_address(&self, path: &Path) -> SocketAddr {
        match (&self.context.hosts, path.address()) {
            (Some(_), Some(old)) => (Ipv4Addr::new(127, 0, 0, 2 + (self.index % 250) as u8), old.port()).into(),
            _ => (Ipv4Addr::LOCALHOST, 0).into(),
        }
    }
}

#[async_trait::async_trait]
impl Fault for DnsMovedFault {
    fn kind(&self) -> &'static str {
        DnsMoved::NAME
    }

    fn detail(&self) -> String {
        String::new()
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let path = self.aim.take().await?;
        let (redis, came) = (path.server().url().address(), self.came.clone());
        came.store(0, Relaxed);
        let relay = Relay::start_at(self.new_address(&path), move |client| {
            let redis = redis.clone();
            came.fetch_add(1, Relaxed);
            async move {
                // If the server is unreachable, close the connection, as a server's machine would.
                let Ok(server) = TcpStream::connect(redis).await else { return };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                carry(client, server, Arc::default()).await;
            }
        })
        .map_err(|error| LabError::system("opening the new address".to_owned(), error))?;
        answer(&self.context, self.index, Answer::Address(relay.address()))?;
        *self.relay.lock() = Some(relay);
        self.context.holds.down.of(&path).take(self.index);
        Ok(path.proxy()?.set_enabled(false).await?)
    }

    async fn heal(&self) -> Result<(), FaultError> {
        let path = self.aim.path();
        if self.context.holds.down.of(&path).release(self.index) {
            path.proxy()?.set_enabled(true).await?;
        }
        usual(&self.context, self.index)?;
        let relay = self.relay.lock().take();
        if let Some(relay) = relay {
            relay.stop().await;
        }
        self.aim.release();
        Ok(())
    }

    /// A store that never comes to the new address is hit all the more.
    async fn impact(&self, within: Duration) -> Impact {
        let path = self.aim.path();
        let seen = path.ping(within.min(Duration::from_millis(500))).await;
        path.impact(seen == ProbeResult::Refused, format!("at the old address {seen}"))
    }

    fn damage(&self) -> Option<String> {
        Some(format!("{} came to the new one", count(self.came.load(Relaxed), "connection")))
    }
}
