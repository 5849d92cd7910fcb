//! Where microbenchmarks run.

use std::sync::Arc;
use std::time::Duration;

use super::error::MicrobenchError;
use crate::lab::{KeyPrefix, RedisUrl};
use crate::proxy::{Proxy, ProxyServer};

/// The lifetime of a session: a killed drill leaves nothing behind for longer than this.
pub(super) const TTL: Duration = Duration::from_secs(60);

/// Where microbenchmarks run: on a Redis, directly and through a dedicated proxy.
pub struct Site {
    pub(super) url: RedisUrl,
    pub(super) proxied: RedisUrl,
    pub(super) proxy: Arc<Proxy>,
    pub(super) prefix: String,
    pub(super) bytes: usize,
    _server: ProxyServer,
}

impl Site {
    /// Prepares to measure on the Redis at `url`, with keys under `prefix` and sessions of `bytes` bytes.
    ///
    /// # Errors
    /// The proxy could not start.
    pub async fn at(url: &RedisUrl, prefix: &KeyPrefix, bytes: usize) -> Result<Self, MicrobenchError> {
        let server = ProxyServer::start(0)?;
        let anywhere = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
        let proxy = server.create("claims", anywhere, url.address(), true).await?;
        let proxied = url.at(proxy.listen_addr())?;
        let prefix = format!("{prefix}claims:");
        Ok(Self { url: url.clone(), proxied, proxy, prefix, bytes, _server: server })
    }
}
