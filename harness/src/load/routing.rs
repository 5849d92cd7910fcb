//! Which of several stores carries an operation.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::Process;

/// How operations are spread over the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// A virtual user keeps to one store; in an open loop, a session does.
    #[default]
    Sticky,
    /// Each operation goes to the next store.
    RoundRobin,
}

/// The stores that carry a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instances {
    /// Their number.
    pub count: NonZeroU32,
    /// How operations are spread over them.
    pub routing: Routing,
}

impl Default for Instances {
    fn default() -> Self {
        Self { count: NonZeroU32::MIN, routing: Routing::default() }
    }
}

impl Instances {
    /// The process of an operation that `user` sends at its turn. In front of one store, a process is a user. In front of
    /// several it is the store: each promises an order only for what it has carried out itself.
    pub(super) fn process(self, user: Process, turn: u64) -> Process {
        let count = self.count.get();
        match self.routing {
            _ if count == 1 => user,
            Routing::Sticky => user % count,
            Routing::RoundRobin => (turn % u64::from(count)) as Process,
        }
    }
}
