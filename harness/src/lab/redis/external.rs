//! An external Redis: it runs before and after the drill. The drill writes and deletes only keys under its own prefix,
//! touches no process, and never reveals the password.

use std::time::Duration;

use crate::lab::admin::Admin;
use crate::lab::error::{LabError, Mismatch};
use crate::lab::server::Server;
use crate::lab::url::RedisUrl;

/// A Redis named by URL.
pub struct ExternalRedis {
    url: RedisUrl,
    admin: Admin,
}

impl ExternalRedis {
    /// Connects to the Redis at `url`, which must identify itself within `deadline`. The same deadline applies to every
    /// later call.
    ///
    /// # Errors
    /// [`RedisFailure::Unreachable`](crate::lab::RedisFailure::Unreachable),
    /// [`RedisFailure::Handshake`](crate::lab::RedisFailure::Handshake),
    /// [`RedisFailure::NoAnswer`](crate::lab::RedisFailure::NoAnswer),
    /// [`RedisFailure::Refused`](crate::lab::RedisFailure::Refused) (a wrong password), or [`Mismatch::NotOneServer`]:
    /// a cluster node has only part of the keys, and a sentinel has none.
    pub async fn connect(url: RedisUrl, deadline: Duration) -> Result<Self, LabError> {
        let admin = Admin::new(&url, deadline)?;
        admin.ping().await?;
        let what = match admin.info().await?.mode.as_str() {
            "cluster" => "a node of a cluster",
            "sentinel" => "a sentinel",
            _ => return Ok(Self { url, admin }),
        };
        Err(LabError::Mismatch(Mismatch::NotOneServer { address: url.address(), what }))
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
}
