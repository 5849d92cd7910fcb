//! Network faults between the load and Redis, injected by the fault proxy.

pub(super) mod bandwidth;
pub(super) mod connect_hang;
pub(super) mod down;
pub(super) mod impostor;
pub(super) mod latency;
pub(super) mod limit_data;
pub(super) mod reset_peer;
pub(super) mod slicer;
pub(super) mod slow_accept;
pub(super) mod slow_close;
mod stream;
pub(super) mod timeout;
mod toxic;

pub use stream::Stream;
