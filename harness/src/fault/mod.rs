//! What the nemesis does to a drill. A [`Fault`] is injected, proves that it bit, and is healed, whatever else happens;
//! a [`Timeline`] says when; the [`Nemesis`] runs it on the drill's clock beside the load and reports what was
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
mod clock;
mod closing;
mod cluster;
mod context;
mod entry;
mod error;
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
mod refusing;
mod registry;
mod remote;
mod remote_healer;
mod repeat;
mod report;
mod server;
mod server_proxies;
mod settings;
mod spec;
mod timeline;
mod upstream;
mod witness;

use std::time::Duration;

use crate::clock::Nanos;
use crate::history::Note;

pub use attack::NoteSink;
pub use context::{FaultContext, Site};
pub use entry::{Entry, Parameter};
pub use error::FaultError;
pub use kind::{AtCommands, Docs, FaultKind, Flaw, Hits, Kind, Shortage, Unfit};
pub use markdown::markdown;
pub use nemesis::{Healer, Nemesis, NemesisPlan};
pub use on::OnCommand;
pub use process::DiskData;
pub use proxy::Stream;
pub use registry::*;
pub use remote_healer::{Found, RemoteHealer};
pub use report::FaultReport;
pub use server::PauseMode;
pub use server_proxies::ServerProxies;
pub use spec::{FaultSpec, FaultSpecError};
pub use timeline::{Timeline, Window};

/// Whether a fault did harm, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// Whether it demonstrably did harm to what the load uses.
    pub bit: bool,
    /// The evidence, or what was not found: for people, without a full stop.
    pub evidence: String,
}

/// Something that can go wrong on demand. One value is one `[[fault]]` of a scenario and may come and go several
/// times. Each call is given a deadline by its caller and may be dropped when it has passed.
#[async_trait::async_trait]
pub trait Fault: Send + Sync {
    /// The word used in scenarios.
    fn kind(&self) -> &'static str;

    /// Its parameters for people, such as `50 ms ± 10 ms downstream`; empty where the kind says it all.
    fn detail(&self) -> String;

    /// Brings it about. Returns when it has been observed to hold.
    ///
    /// # Errors
    /// Why it was not injected; it may be in effect in part, so healing is still due.
    async fn inject(&self) -> Result<(), FaultError>;

    /// Undoes it. Returns when it has been observed to be over. Does no harm when it is called twice, or without
    /// [`Fault::inject`] before it.
    ///
    /// # Errors
    /// Why it may still hold.
    async fn heal(&self) -> Result<(), FaultError>;

    /// Looks whether it does harm. Asked while it holds, until it has bitten; takes at most about `within`.
    async fn impact(&self, within: Duration) -> Impact;

    /// A note for the judges, beside the fault's beginning and end. `began`: when the injection began; `held`: when the fault
    /// was seen to hold, `None` if it never was.
    fn note(&self, _began: Nanos, _held: Option<Nanos>) -> Option<Note> {
        None
    }

    /// Connections that took an impostor for the server since it was injected, for a fault that has one.
    fn trusted(&self) -> Option<u64> {
        None
    }

    /// What it has done to the load so far, in figures; asked just before it is healed.
    fn damage(&self) -> Option<String> {
        None
    }
}
