//! Memory beside Redis: instead of it while Redis is away, and in addition while a service moves from one to the other.
//!
//! [`Fallback`] joins a [`RedisStore`](crate::RedisStore) and a write-back cache in memory under one [`Policy`]; each
//! policy's file (`policy`) says what it does.
//!
//! **What is written back, and over what.** The store writes a session back by version: if Redis's copy is still the
//! one that it descends from, it replaces it. If not, and this process's own operations of unknown outcome explain the
//! difference, the data merges the two (or, after a whole write, replaces what came before it), so a write that reached
//! Redis although its call timed out counts once. If another process wrote, the data merges the two, and what it cannot
//! keep is reported as lost. A write that this process does not recognise belongs to another, whatever the versions
//! suggest. A session that memory did not know and that was put in the outage replaces the one in Redis (the newest
//! wins), and replaced writes of other processes are reported as lost. Nothing from an old connection can take effect
//! later: the next connection first closes it on the server.
//!
//! **What does not come back.** A destroyed session leaves a tombstone in Redis for as long as it could have lived (at
//! least an hour), with its version, and versions continue above it. A copy that descends from a version below a
//! tombstone was destroyed elsewhere, and is dropped unless this process wrote it whole after that (`ruling` tells how the
//! two times are compared; what stays undecided within one round trip counts as destroyed). The tombstone names
//! the process that wrote it, and says when any other process last destroyed the session. So if a destroy by this
//! process takes effect after the session was recreated here, and its reply is lost, it is not mistaken for another
//! process's. A copy that is missing in Redis *without* a tombstone was lost there, or expired while it was used here;
//! it is written back, because its user still relies on it. An outage longer than the tombstone's life loses that
//! distinction. A session destroyed in the outage is then destroyed in Redis.
//!
//! **How it ends.** A background task looks for Redis at jittered, growing intervals, proves by a write that Redis
//! accepts writes, drains, and ends the activation when nothing is dirty. If Redis fails again in between, the
//! activation continues and the rest is drained later. While the fallback is active, no call about a session known here
//! waits for Redis.

mod cache;
mod cause;
mod inner;
mod migration;
mod recovery;
mod stats;
mod store;
mod switch;

pub use migration::{Progress, Switchable};
pub use stats::FallbackStats;
pub use store::{Fallback, FallbackConfig};

pub use crate::policy::{Policy, UnknownPolicy};
