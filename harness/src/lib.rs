//! Firedrill: a resilience-testing harness and load generator for session stores backed by Redis.
//!
//! A drill's data goes one way: [`scenario`] → [`plan`] → [`load`] and [`fault`]s on one [`clock`] → [`history`] →
//! [`check`]s and [`measure`]s → [`gate`]s → report. [`drill`] is that list, in order.

pub mod check;
pub mod claim;
pub mod cli;
pub mod clock;
pub mod drill;
pub mod fault;
pub mod gate;
pub mod heal;
pub mod history;
pub mod lab;
mod listening;
pub mod load;
pub mod measure;
pub mod plan;
pub mod proxy;
pub mod relay;
pub mod scenario;
pub mod target;
