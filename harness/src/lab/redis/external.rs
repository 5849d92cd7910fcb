//! An external Redis: it runs before and after the drill. The drill writes and deletes nothing but keys under its
//! own prefix, changes no process, and never says its password.

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
    /// Reaches the Redis at `url`: it must say what it is within `deadline`, which is also the time of every later call.
    ///
    /// # Errors
    /// [`RedisFailure::Unreachable`](crate::lab::RedisFailure::Unreachable), [`RedisFailure::Handshake`](crate::lab::RedisFailure::Handshake), [`RedisFailure::NoAnswer`](crate::lab::RedisFailure::NoAnswer), [`RedisFailure::Refused`](crate::lab::RedisFailure::Refused) (a wrong
    /// password), or [`Mismatch::NotOneServer`]: of a cluster's keys one node has a part, and a sentinel has none.
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
