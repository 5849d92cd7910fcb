//! A kind of target: everything that a scenario needs to know about it.

use std::sync::Arc;

use async_trait::async_trait;

use super::driver::Driver;
use super::settings::StoreSpec;
use super::site::Site;
use crate::history::OpKind;
use crate::lab::RedisUrl;
use crate::target::{Ability, BuildError};

/// A setting that a kind of target cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit {
    /// The key in the scenario, written with dots: `store.ttl`.
    pub key: &'static str,
    /// The reason.
    pub message: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

/// A kind of target. One file and one line in the registry each.
#[async_trait]
pub trait Kind: Sync {
    /// Its name in scenarios: `[target] kind`.
    fn name(&self) -> &'static str;

    /// What it is, in a sentence.
    fn about(&self) -> &'static str;

    /// The operations that it carries out.
    fn operations(&self) -> &'static [OpKind];

    /// What it offers beside them.
    fn abilities(&self) -> &'static [Ability];

    /// How many sockets a load on so many `lanes` opens at most, without those of a proxy.
    fn sockets(&self, lanes: u32) -> u64 {
        lanes.into()
    }

    /// The commands that it sends to Redis, which are tried before the load ([`trial`](crate::lab::trial)); none if they are
    /// unknown.
    fn commands(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it is nothing but a client, whose CPU time is the load generator's own. A store in this process, in contrast,
    /// burns or blocks the threads of the load at its own cost.
    fn is_only_a_client(&self) -> bool {
        false
    }

    /// What of these settings it cannot have.
    fn unfit(&self, _store: &StoreSpec) -> Vec<Unfit> {
        Vec::new()
    }

    /// The environment in which `session-server` is to be started for it, on the Redis at `url` with its keys under `prefix`;
    /// `None` if it needs none.
    fn environment(
        &self,
        _store: &StoreSpec,
        _seed: u64,
        _url: &RedisUrl,
        _prefix: &str,
    ) -> Option<Vec<(&'static str, String)>> {
        None
    }

    /// Builds one.
    ///
    /// # Errors
    /// Why it could not be built.
    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError>;
}
