//! A proxy in front of each of several servers that take over from one another. The servers announce their proxies'
//! addresses, so that clients, replicas and sentinels alike go through them.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::lab::{AnnouncedProxies, LabError, Server};
use crate::proxy::{Proxy, ProxyError, ProxyServer};

/// The proxies; they end with this value.
pub struct ServerProxies {
    server: ProxyServer,
    proxies: Mutex<Vec<Arc<Proxy>>>,
}

impl ServerProxies {
    /// No proxies yet; `seed` drives all randomness.
    ///
    /// # Errors
    /// Same as [`ProxyServer::start`].
    pub fn new(seed: u64) -> Result<Self, ProxyError> {
        Ok(Self { server: ProxyServer::start(seed)?, proxies: Mutex::default() })
    }

    /// Makes all of them read the commands of connections opened from now on.
    pub(super) fn read_commands(&self) {
        self.proxies.lock().iter().for_each(|proxy| proxy.read_commands());
    }

    /// The proxy whose address `server` announces.
    pub(super) fn of(&self, server: &dyn Server) -> Option<Arc<Proxy>> {
        let address = server.announced()?;
        self.proxies.lock().iter().find(|proxy| proxy.listen_addr() == address).cloned()
    }
}

impl fmt::Debug for ServerProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.proxies.lock().iter().map(|proxy| proxy.listen_addr())).finish()
    }
}

#[async_trait::async_trait]
impl AnnouncedProxies for ServerProxies {
    async fn before(&self, server: SocketAddr) -> Result<SocketAddr, LabError> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let made = self.server.create(&format!("redis-{}", server.port()), anywhere, server.to_string(), true).await;
        let failed =
            |error| LabError::system(format!("putting a proxy in front of {server}"), std::io::Error::other(error));
        let proxy = made.map_err(failed)?;
        let address = proxy.listen_addr();
        self.proxies.lock().push(proxy);
        Ok(address)
    }
}
