//! Faults of the server itself: it refuses, stalls or forgets because its own commands made it. They hit every
//! client of the server, and also work on an external one: every setting is restored.

pub(super) mod auth;
pub(super) mod client_kill;
pub(super) mod eviction;
pub(super) mod idle_timeout;
pub(super) mod max_clients;
pub(super) mod no_replicas;
pub(super) mod oom;
pub(super) mod pause;
pub(super) mod readonly;
pub(super) mod script_flush;
pub(super) mod slow;

pub use pause::PauseMode;
