//! Server faults: the server refuses, stalls or forgets because its own commands made it. They affect every client and
//! also work on an external server: every setting is restored.

pub(super) mod auth;
pub(super) mod client_kill;
pub(super) mod eviction;
pub(super) mod idle_timeout;
pub(super) mod max_clients;
pub(super) mod no_replicas;
pub(super) mod oom;
pub(super) mod pause;
pub(super) mod promote;
pub(super) mod readonly;
pub(super) mod script_flush;
pub(super) mod slow;

pub use eviction::EvictionPolicy;
pub use pause::PauseMode;
