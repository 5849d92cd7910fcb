//! Memory beside Redis: in its place while Redis is away, and in both places while a service moves from one to the other.
//!
//! [`Fallback`] puts a [`RedisStore`](crate::RedisStore) and a write-back cache in memory together under one [`Policy`]; what each
//! policy does is in its file (`policy`).
//!
//! **What is written back, and over what.** A session goes back by version: if Redis's copy is still the one it descends
//! from, it replaces it. If not, and this process's own operations of unknown outcome explain the difference, the
//! data merges the two (or, after a whole write, replaces what came before it); so an answer that reached Redis although
//! its call timed out counts once. If another process wrote, the data merges the two, and what it cannot keep is
//! reported as lost; a write that this process does not recognise is another's, whatever the versions suggest. A session that memory did not
//! know and that was put in the outage replaces what Redis has (the newest wins), and replaced writes of other processes are
//! reported as lost. Nothing of an old connection can take effect later: the next connection ends it at the server first.
//!
//! **What does not come back.** A destroyed session leaves a tombstone in Redis for as long as it could have lived (an
//! hour at least), with its version, and versions go on above it. A copy that descends from a version below a tombstone
//! was destroyed elsewhere and is dropped, unless it was written whole here after that. The tombstone says whose it is, and
//! when anybody else last destroyed the session: a destroy of this process's own whose answer was lost, and that took
//! effect after the session was recreated here, is not taken for another's. A copy that is missing in Redis *without* a
//! tombstone was lost there, or expired while it was used here, and is written back, because its user still relies on
//! it. An outage longer than the tombstone's life loses that distinction. A session destroyed in the outage is
//! then destroyed in Redis.
//!
//! **How it ends.** A background task looks for Redis at jittered, growing intervals, proves by a write that writes are
//! taken, drains, and ends the activation when nothing is dirty; if Redis fails again in the middle, the activation
//! continues and the rest is drained later. While the fallback is active no call waits for Redis.

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
