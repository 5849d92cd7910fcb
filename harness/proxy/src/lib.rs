#![doc = include_str!("../README.md")]
//!
//! # Inside
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
//! A connection without toxics is copied straight from socket to socket.

#[cfg(feature = "api")]
mod api;
mod chain;
pub mod command;
mod connection;
mod control;
mod descriptors;
mod error;
#[cfg(feature = "api")]
pub mod exposition;
mod hang;
#[cfg(feature = "api")]
pub mod http;
mod link;
mod listener;
mod listening;
#[cfg(feature = "api")]
mod metrics;
mod place;
mod proxy;
mod registry;
#[cfg(feature = "api")]
mod remote;
mod server;
mod shared;
mod snapshot;
#[cfg(feature = "api")]
mod standalone;
mod stats;
pub mod toxic;

#[cfg(feature = "api")]
pub use api::{API_VERSION, ApiOptions};
pub use control::ProxyControl;
pub use error::ProxyError;
pub use listening::Listening;
pub use proxy::{Proxy, ProxyChange};
#[cfg(feature = "api")]
pub use remote::{RemoteOptions, RemoteProxy, ToxiproxyUrl};
pub use server::ProxyServer;
#[cfg(feature = "api")]
pub use standalone::{StandaloneOptions, run_standalone};
pub use stats::{LinkStats, ProxyStats, ToxicReach};
pub use toxic::{Connections, Direction, Toxic, ToxicChange, ToxicKind, ToxicSpec};

/// Panics if `FIREDRILL_PLANTED_PANIC` names `place`, to test how a drill ends. Builds without debug assertions do not
/// contain it.
#[cfg(debug_assertions)]
pub fn planted_panic(place: &str) {
    assert!(std::env::var("FIREDRILL_PLANTED_PANIC").as_deref() != Ok(place), "planted");
}
