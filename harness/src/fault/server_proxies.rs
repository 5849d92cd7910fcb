//! A proxy in front of each of several servers that take over from one another. The drill's own servers announce their
//! proxies' addresses, so that clients, replicas and sentinels alike go through them; to other servers the store is led.

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

    /// The proxy at whose address clients reach `server`.
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
    async fn before(&self, address: &str) -> Result<SocketAddr, LabError> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let made = self.server.create(&format!("redis-{address}"), anywhere, address.to_owned(), true).await;
        let failed =
            |error| LabError::system(format!("putting a proxy in front of {address}"), std::io::Error::other(error));
        let proxy = made.map_err(failed)?;
        let reached_at = proxy.listen_addr();
        self.proxies.lock().push(proxy);
        Ok(reached_at)
    }
}
