//! The direction of a connection that a toxic affects.

use serde::{Deserialize, Serialize};

use super::super::kind::Flaw;
use crate::proxy::Direction;

/// Which way of a connection is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// What the store sends to Redis.
    Upstream,
    /// What Redis answers.
    Downstream,
    /// Both ways.
    Both,
}

impl Stream {
    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Upstream => "upstream",
            Stream::Downstream => "downstream",
            Stream::Both => "both",
        }
    }

    pub(super) const fn downstream() -> Self {
        Stream::Downstream
    }

    pub(super) const fn both() -> Self {
        Stream::Both
    }

    /// With `on`, the `side` of the command determines the direction, so there is nothing to choose.
    ///
    /// # Errors
    /// If another direction than the `default` was chosen.
    pub(super) fn by_side(self, default: Self) -> Result<(), Flaw> {
        if self == default {
            return Ok(());
        }
        Err(Flaw::new("stream", "makes no sense with `on`: its `side` says which way is hit"))
    }

    pub(super) fn directions(self) -> &'static [Direction] {
        match self {
            Stream::Upstream => &[Direction::Upstream],
            Stream::Downstream => &[Direction::Downstream],
            Stream::Both => &[Direction::Upstream, Direction::Downstream],
        }
    }

    /// The number of affected directions.
    pub(super) fn ways(self) -> u32 {
        self.directions().len() as u32
    }

    /// The wording after a fault's parameters: `upstream`, `downstream`, `both ways`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Stream::Both => "both ways",
            one => one.name(),
        }
    }
}
