//! A store that hands milliseconds to a command that takes seconds: sessions live a thousand times as long as they should.

use super::caught::caught_alone;
use super::lifetimes::Lifetimes;
use super::plant::{Needs, Plant, Planted};
use super::spoil::Spoil;

/// Its description.
pub(super) static DEFECT: Planted = Planted {
    name: "lifetime-in-another-unit",
    about: "Sessions live a thousand times as long as they should: milliseconds are taken for seconds.",
    source: "micronaut-projects/micronaut-redis#2; C8: REDIS_TTL in seconds, REDIS_TIMEOUT in milliseconds",
    drills: &[caught_alone("idle-in-memory", &[], &["checks.ttl"])],
    plant: Plant::Around(|store, _| Ok(Lifetimes { inner: store, of: |ttl| ttl * 1_000 }.planted())),
    needs: Needs::Nothing,
};
