//! Faults of the server itself: it refuses, stalls or forgets because its own commands made it. They hit everybody
//! who uses the server, and work on one that the drill did not start: every setting is given back.

pub(super) mod auth;
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
