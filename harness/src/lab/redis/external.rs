//! An external Redis: it runs before and after the drill. The drill writes and deletes only keys under its own prefix,
//! touches no process, and never reveals the password.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::lab::admin::Admin;
use crate::lab::error::{LabError, Mismatch};
use crate::lab::server::{AnnouncedProxies, Server};
use crate::lab::url::RedisUrl;

/// The modes of servers that work together, and of their sentinels.
const GROUPS: [&str; 2] = ["sentinel", "cluster"];

/// The mode of a server with all keys.
const STANDALONE: &str = "standalone";

/// Where to find a Redis that is already running.
#[derive(Debug)]
pub struct Existing {
    /// One of its servers, or one of its sentinels.
    pub url: RedisUrl,
    /// The deadline of every call.
    pub deadline: Duration,
    /// Puts a proxy in front of each of several servers.
    pub proxies: Option<Arc<dyn AnnouncedProxies>>,
}

impl Existing {
    /// That at `url`, without proxies.
    pub fn at(url: RedisUrl, deadline: Duration) -> Self {
        Self { url, deadline, proxies: None }
    }

    /// The server with data that its group knows as `host` and `port`, behind a proxy if there are any.
    ///
    /// # Errors
    /// [`Mismatch::BadUrl`] if `host` does not fit in a URL, or why the proxy could not be set up.
    pub(super) async fn server(&self, host: &str, port: u16) -> Result<ExternalRedis, LabError> {
        let server = ExternalRedis::new(self.url.on(host, port)?, self.deadline)?;
        let front = match &self.proxies {
            Some(proxies) => Some(proxies.before(&server.url.address()).await?),
            None => None,
        };
        Ok(ExternalRedis { front, ..server })
    }
}

/// A Redis named by URL.
pub struct ExternalRedis {
    url: RedisUrl,
    admin: Admin,
    /// The proxy in front of it.
    front: Option<SocketAddr>,
}

impl ExternalRedis {
    /// The Redis at `url`, not yet connected.
    ///
    /// # Errors
    /// [`Mismatch::TlsSetup`] if a TLS file cannot be used.
    pub(super) fn new(url: RedisUrl, deadline: Duration) -> Result<Self, LabError> {
        Ok(Self { admin: Admin::new(&url, deadline)?, url, front: None })
    }

    /// Connects to the Redis at `url`, which must identify itself within `deadline` as a server of this `mode`
    /// (`redis_mode` in INFO). The same deadline applies to every later call.
    ///
    /// # Errors
    /// [`RedisFailure::Unreachable`](crate::lab::RedisFailure::Unreachable),
    /// [`RedisFailure::Handshake`](crate::lab::RedisFailure::Handshake),
    /// [`RedisFailure::NoAnswer`](crate::lab::RedisFailure::NoAnswer),
    /// [`RedisFailure::Refused`](crate::lab::RedisFailure::Refused) (a wrong password), or [`Mismatch::OtherMode`]: a
    /// cluster node has only part of the keys, and a sentinel has none.
    pub async fn connect(url: RedisUrl, deadline: Duration, mode: &'static str) -> Result<Self, LabError> {
        let redis = Self::new(url, deadline)?;
        redis.admin.ping().await?;
        // What does not say that it is one of several has all keys.
        let mut is = redis.admin.info().await?.mode;
        if !GROUPS.contains(&is.as_str()) {
            STANDALONE.clone_into(&mut is);
        }
        match is == mode {
            true => Ok(redis),
            false => {
                let address = redis.url.address();
                Err(LabError::Mismatch(Mismatch::OtherMode { address, is, wanted: mode }))
            }
        }
    }
}

impl Server for ExternalRedis {
    fn url(&self) -> &RedisUrl {
        &self.url
    }

    fn admin(&self) -> &Admin {
        &self.admin
    }

    fn is_ours(&self) -> bool {
        false
    }

    fn announced(&self) -> Option<SocketAddr> {
        self.front
    }

    fn is_known_as(&self, host: &str, port: u16) -> bool {
        self.url.host() == host && self.url.port() == port
    }
}
