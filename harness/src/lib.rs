//! Firedrill: a resilience-testing harness and load generator for session stores backed by Redis.
//!
//! A drill's data goes one way: [`scenario`] → [`plan`] → [`load`] and [`fault`]s on one [`clock`] → [`history`] →
//! [`check`]s and [`measure`]s → [`gate`]s → report. [`drill`] is that list, in order.

pub mod capacity;
#[cfg(feature = "cli")]
pub mod catalogue;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod drill;
pub mod fault;
pub mod gate;
pub mod heal;
pub mod history;
pub mod ids;
pub mod lab;
pub mod load;
pub mod measure;
pub mod metric;
pub mod microbench;
pub mod names;
mod nearest;
pub mod plan;
pub mod property;
mod registry;
pub mod relay;
mod renamed;
pub mod scenario;
mod secret;
pub mod selftest;
#[cfg(feature = "cli")]
mod serve_http;
pub mod situation;
pub mod target;
pub mod targets;
pub mod units;
#[cfg(feature = "cli")]
pub mod watch;

pub use drill::{Drill, DrillError, DrillReport};
pub use firedrill_proxy as proxy;
pub use target::{Client, Target};
pub use targets::Site;

/// Everything that the drill of a custom target needs.
pub mod prelude {
    pub use firedrill_reports::run::Verdict;

    pub use crate::drill::{Drill, DrillError, DrillReport};
    pub use crate::history::{Cause, OpKind, Outcome, Presence};
    pub use crate::target::{Ability, Client, Observation, Operation, Target};
    pub use crate::targets::Site;
}
