//! Which way of a connection a toxic hits.

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
    /// The word used in scenarios.
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

    /// With `on` there is nothing to choose: the `side` of the command says which way is hit.
    ///
    /// # Errors
    /// Where another one than the `default` was chosen.
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

    /// How many ways are hit.
    pub(super) fn ways(self) -> u32 {
        self.directions().len() as u32
    }

    /// The words after a fault's parameters: `upstream`, `downstream`, `both ways`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Stream::Both => "both ways",
            one => one.name(),
        }
    }
}
