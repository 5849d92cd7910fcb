//! A proxy before each of several servers that take over from one another. The servers announce their proxies' addresses,
//! so that clients, replicas and sentinels alike come through them; what a fault does, it does to the server it is aimed at.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::lab::{Doors, Group, Lab, LabError};
use crate::proxy::{Proxy, ProxyControl, ProxyError, ProxyServer, ProxyStats, ToxicSpec};

/// The proxies; they end with this value.
pub struct ProxyDoors {
    server: ProxyServer,
    proxies: Mutex<Vec<Arc<Proxy>>>,
}

impl ProxyDoors {
    /// None yet; whatever chance has a part in is drawn from `seed`.
    ///
    /// # Errors
    /// As [`ProxyServer::start`].
    pub fn new(seed: u64) -> Result<Self, ProxyError> {
        Ok(Self { server: ProxyServer::start(seed)?, proxies: Mutex::default() })
    }
}

impl fmt::Debug for ProxyDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.proxies.lock().iter().map(|proxy| proxy.listen_addr())).finish()
    }
}

#[async_trait::async_trait]
impl Doors for ProxyDoors {
    async fn before(&self, server: SocketAddr) -> Result<SocketAddr, LabError> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let made = self.server.create(&format!("redis-{}", server.port()), anywhere, server.to_string(), true).await;
        let failed = |error| LabError::system(format!("putting a proxy before {server}"), std::io::Error::other(error));
        let proxy = made.map_err(failed)?;
        let address = proxy.listen_addr();
        self.proxies.lock().push(proxy);
        Ok(address)
    }
}

/// The proxy before the server that faults are aimed at. Its counters are those of all: a fault spoils one of them, and what
/// they count must not jump when the aim changes.
pub(super) struct Doorway {
    lab: Arc<Lab>,
    doors: Arc<ProxyDoors>,
}

impl Doorway {
    pub fn new(lab: Arc<Lab>, doors: Arc<ProxyDoors>) -> Self {
        Self { lab, doors }
    }

    fn proxy(&self) -> Result<Arc<Proxy>, ProxyError> {
        let address = self.listen_addr();
        let proxies = self.doors.proxies.lock();
        proxies.iter().find(|proxy| proxy.listen_addr() == address).cloned().ok_or(ProxyError::PassedBy)
    }
}

#[async_trait::async_trait]
impl ProxyControl for Doorway {
    fn listen_addr(&self) -> SocketAddr {
        self.lab.group().map_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Group::announced)
    }

    fn stats(&self) -> Option<ProxyStats> {
        Some(self.doors.proxies.lock().iter().map(|proxy| proxy.stats()).sum())
    }

    async fn set_enabled(&self, enabled: bool) -> Result<(), ProxyError> {
        self.proxy()?.set_enabled(enabled).await
    }

    async fn upstream(&self) -> Result<String, ProxyError> {
        ProxyControl::upstream(self.proxy()?.as_ref()).await
    }

    async fn lead_to(&self, upstream: &str) -> Result<(), ProxyError> {
        self.proxy()?.lead_to(upstream).await
    }

    async fn add_toxic(&self, spec: ToxicSpec) -> Result<(), ProxyError> {
        self.proxy()?.add_toxic(spec).await
    }

    async fn remove_toxic(&self, name: &str) -> Result<(), ProxyError> {
        self.proxy()?.remove_toxic(name).await
    }
}
