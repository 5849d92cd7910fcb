//! The embedded fault proxy: TCP links between a client and a server, and toxics that spoil them while they are in use.
//! It speaks Toxiproxy's HTTP API, so that any Toxiproxy client can drive it, and it has the same abilities in process.
//! It runs on a thread of its own, so that neither the load nor the store is slowed by it.
//!
//! ```text
//!              ┌────────────────────── Proxy ──────────────────────┐
//!              │              upstream link ──▶                    │
//!   client ◀──▶│ accept ─▶ Connection ◀─▶ toxics ◀─▶ Connection    │◀──▶ server (Redis)
//!              │            ◀── downstream link                    │
//!              └───────────────────────▲───────────────────────────┘
//!                                      │ create, down, add toxic, undo, counters
//!                  in process, or Toxiproxy's HTTP API on 127.0.0.1
//! ```
//!
//! A connection without toxics is copied straight from socket to socket. A toxic that comes or goes takes hold of the
//! connections that are open: the calls that change something return once every open connection has changed over.

mod alarm;
mod api;
mod chain;
mod connection;
mod control;
mod error;
mod link;
mod listener;
mod metrics;
mod plan;
#[allow(clippy::module_inception)]
mod proxy;
mod remote;
mod server;
mod standalone;
mod stats;
pub mod toxic;

pub use control::ProxyControl;
pub use error::ProxyError;
pub use proxy::{Proxy, ProxyChange};
pub use remote::{RemoteOptions, RemoteProxy, ToxiproxyUrl};
pub use server::ProxyServer;
pub use standalone::{StandaloneOptions, run_standalone};
pub use stats::{LinkStats, ProxyStats};
pub use toxic::{Direction, Toxic, ToxicChange, ToxicSpec};
