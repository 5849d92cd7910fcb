//! What the nemesis does to a drill. A [`Fault`] is injected, proves that it took effect, and is healed, whatever else
//! happens; a [`Timeline`] says when; the [`Nemesis`] runs it on the drill's clock during the load and reports what was
//! observed, not what was requested.
//!
//! ```text
//! FaultSpec ─▶ Timeline ─▶ Nemesis ── inject ─ impact ─ … ─ heal ──▶ FaultReport
//!     └──────▶ dyn Fault ─────┘            (onset)         (end)
//! ```

mod aim;
mod aimed;
mod app;
mod attack;
mod build;
mod by_hand;
mod clients;
mod clock;
mod closing;
mod cluster;
mod context;
mod dns;
mod entry;
mod error;
mod flaw;
mod handover;
mod info;
mod keys;
mod kind;
mod markdown;
mod nemesis;
mod on;
mod overlay;
mod path;
mod paused;
mod process;
mod proxy;
mod reach;
mod refusing;
mod registry;
mod remote;
mod remote_healer;
mod repeat;
mod report;
mod sentinel;
mod server;
mod server_proxies;
mod settings;
mod several;
mod spec;
mod struck;
mod timeline;
mod tls;
mod upstream;
mod witness;

use std::time::Duration;

use crate::clock::Nanos;
use crate::history::Note;

pub use attack::NoteSink;
pub use by_hand::{ByHand, Cue, NoSuchFault};
pub use context::{FaultContext, Site};
pub use entry::{Entry, Parameter};
pub use error::FaultError;
pub use kind::{AtCommands, Docs, FaultKind, Flaw, Hits, Kind, Shortage, Unfit};
pub use markdown::markdown;
pub use nemesis::{Healer, Nemesis, NemesisPlan};
pub use on::{On, OnCommand, OnState, StoreState, Waiting};
pub use process::DiskData;
pub use proxy::Stream;
pub use reach::{ConnectionAge, Reach, Role, To};
pub use registry::*;
pub use remote_healer::{Found, RemoteHealer};
pub use report::FaultReport;
pub use server::{EvictionPolicy, PauseMode};
pub use server_proxies::ServerProxies;
pub(crate) use spec::MOST_REPEATS;
pub use spec::{FaultSpec, FaultSpecError};
pub use struck::Struck;
pub use timeline::{Timeline, Window};

/// Whether a fault did harm, and the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// Whether it demonstrably harmed something that the load uses.
    pub bit: bool,
    /// The evidence, or what was not found; in words, without a full stop.
    pub evidence: String,
}

/// Something that can be made to fail. One value is one `[[fault]]` of a scenario and may occur several times. The
/// caller gives each call a deadline and may drop the call once it has passed.
#[async_trait::async_trait]
pub trait Fault: Send + Sync {
    /// Its name in scenarios.
    fn kind(&self) -> &'static str;

    /// Its parameters in words, such as `50 ms ± 10 ms downstream`; empty if the kind says it all.
    fn detail(&self) -> String;

    /// Injects the fault. Returns once it has been observed to hold.
    ///
    /// # Errors
    /// Why it was not injected; it may be partly in effect and must be healed anyway.
    async fn inject(&self) -> Result<(), FaultError>;

    /// Heals the fault. Returns once it has been observed to be over. Safe to call twice, or without [`Fault::inject`]
    /// before it.
    ///
    /// # Errors
    /// Why the fault may still hold.
    async fn heal(&self) -> Result<(), FaultError>;

    /// Checks whether it does harm. Called while it holds, until it has taken effect; takes at most about `within`.
    async fn impact(&self, within: Duration) -> Impact;

    /// A note for the judges in addition to the fault's beginning and end. `began` is when the injection began, `held`
    /// when the fault was seen to hold, `None` if it never was.
    fn note(&self, _began: Nanos, _held: Option<Nanos>) -> Option<Note> {
        None
    }

    /// Connections that took an impostor for the server since the injection, for a fault with an impostor.
    fn trusted(&self) -> Option<u64> {
        None
    }

    /// The harm done to the load so far, in figures; called just before healing.
    fn damage(&self) -> Option<String> {
        None
    }

    /// The result of a fault that finishes only while it is healed, in words; called after healing.
    fn outcome(&self) -> Option<String> {
        None
    }
}
