//! Sessions in the memory of the process. Their lifetime is accepted and then ignored: they stay until deleted.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::MemoryStore;

use super::caught::caught_alone;
use super::lifetimes::Lifetimes;
use super::plant::{Needs, Plant, Planted, Store};
use super::spoil::Spoil;

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "memory-ignores-ttl",
    about: "Sessions live in memory, where their lifetime is ignored.",
    source: "T: memory `set` ignores its TTL",
    drills: &[caught_alone("idle-in-memory", &[], &["checks.ttl"])],
    plant: Plant::Around(|_, _| Ok(in_memory())),
    needs: Needs::Nothing,
};

/// Longer than any drill.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// An empty memory store in which nothing expires.
fn in_memory() -> Store {
    Lifetimes { inner: Arc::new(MemoryStore::default()), of: |_| FOR_EVER }.planted()
}
