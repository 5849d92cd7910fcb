//! A kind of target: everything a scenario needs to know about it.

use std::sync::Arc;

use async_trait::async_trait;

use super::description::Description;
use super::driver::Driver;
use super::settings::StoreSpec;
use super::site::Site;
use super::walked::{Walk, Witness};
use super::wiring::RedisTargetSpec;
use crate::history::OpKind;
use crate::lab::{AppCommand, RedisUrl};
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

/// What is wrong with the description of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The scenario's keys and positions, from the root.
    pub path: Vec<String>,
    /// The reason.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Flaw {
    /// A flaw at `path`.
    pub fn at<P: Into<String>>(
        path: impl IntoIterator<Item = P>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { path: path.into_iter().map(Into::into).collect(), message: message.into(), help: help.into() }
    }
}

/// What an application is started for.
pub struct LaunchSite<'s> {
    /// The scenario's `[store]`.
    pub store: &'s StoreSpec,
    /// The scenario's `[app]` and `[op]`.
    pub description: Option<&'s Description>,
    /// The drill's seed.
    pub seed: u64,
    /// The Redis it is to use.
    pub url: &'s RedisUrl,
    /// The prefix of the drill's keys.
    pub prefix: &'s str,
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

    /// The commands it sends to Redis, which are tried before the load ([`Lab::try_out`](crate::lab::Lab::try_out)); empty if they
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
    fn unfit(&self, _store: &StoreSpec, _description: Option<&Description>) -> Vec<Unfit> {
        Vec::new()
    }

    /// What `description` must say before the application has this one of the [`abilities`](Kind::abilities); `None` if it says
    /// enough.
    fn undescribed(&self, _ability: Ability, _description: &Description) -> Option<&'static str> {
        None
    }

    /// What is wrong with `[target.redis]`; `None` if it takes none.
    fn wired(&self, _spec: &RedisTargetSpec) -> Option<Vec<Flaw>> {
        None
    }

    /// What is wrong with `description`; `None` if it takes none.
    fn misdescribed(&self, _description: &Description) -> Option<Vec<Flaw>> {
        None
    }

    /// How to start its application; `None` if it needs none.
    fn launch(&self, _site: &LaunchSite<'_>) -> Option<AppCommand> {
        None
    }

    /// Walks one session through its operations, one after the other; `None` if it is not an application that somebody
    /// described.
    ///
    /// # Errors
    /// Why the target could not be built.
    async fn walk(&self, _site: &Site, _witness: &dyn Witness) -> Result<Option<Walk>, BuildError> {
        Ok(None)
    }

    /// Builds the target.
    ///
    /// # Errors
    /// Why it could not be built.
    async fn build(&self, site: Site) -> Result<Arc<dyn Driver>, BuildError>;
}
