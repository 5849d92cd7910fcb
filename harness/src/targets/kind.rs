//! A kind of target: everything a scenario needs to know about it.

use std::sync::Arc;

use async_trait::async_trait;

use super::driver::Driver;
use super::settings::StoreSpec;
use super::site::Site;
use crate::history::OpKind;
use crate::lab::RedisUrl;
use crate::target::{Ability, BuildError};

/// A setting that a kind of target does not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit {
    /// The scenario key, in dotted form: `store.ttl`.
    pub key: &'static str,
    /// The reason.
    pub message: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

/// A kind of target. Each has its own file and one line in the registry.
#[async_trait]
pub trait Kind: Sync {
    /// Its name in scenarios: `[target] kind`.
    fn name(&self) -> &'static str;

    /// One sentence about it.
    fn about(&self) -> &'static str;

    /// The operations it supports.
    fn operations(&self) -> &'static [OpKind];

    /// What else it offers.
    fn abilities(&self) -> &'static [Ability];

    /// The most sockets that a load on `lanes` lanes opens, not counting a proxy's.
    fn sockets(&self, lanes: u32) -> u64 {
        lanes.into()
    }

    /// The commands it sends to Redis, which are tried before the load ([`trial`](crate::lab::trial)); empty if they
    /// are unknown.
    fn commands(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it is only a client, whose CPU time is the load generator's. A store in this process, by contrast, pays for the
    /// threads of the load that it burns or blocks.
    fn is_only_a_client(&self) -> bool {
        false
    }

    /// Which of these settings it does not support.
    fn unfit(&self, _store: &StoreSpec) -> Vec<Unfit> {
        Vec::new()
    }

    /// The environment for its `session-server`, on the Redis at `url` with its keys under `prefix`; `None` if it needs
    /// no server.
    fn environment(
        &self,
        _store: &StoreSpec,
        _seed: u64,
        _url: &RedisUrl,
        _prefix: &str,
    ) -> Option<Vec<(&'static str, String)>> {
        None
    }

    /// Builds the target.
    ///
    /// # Errors
    /// Why it could not be built.
    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError>;
}
