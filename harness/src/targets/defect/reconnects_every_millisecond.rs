//! A store that tries to reconnect without a pause worth the name: every process does so at once when Redis is away, and
//! all of them hammer the Redis that returns.

use std::time::Duration;

use firedrill_storage::{RetryProfile, StoreBuilder};

use super::caught::caught_alone;
use super::plant::{Needs, Plant, Planted};

/// The description of this defect.
pub(super) static DEFECT: Planted = Planted {
    name: "reconnects-every-millisecond",
    about: "While Redis is away, the store tries to connect every millisecond.",
    source: "ioredis#1854: a reconnect storm; T5: reconnect 50 ms doubling to 3 s",
    drills: &[caught_alone(
        "redis-outage",
        &["load.for=5s", r#"fault=[{ kind = "proxy.down", at = "1s", for = "2s" }]"#],
        &["connections.attempts"],
    )],
    plant: Plant::Settings(adjust),
    needs: Needs::Nothing,
};

/// Without any pause, the attempts would also take the CPU that the drill needs.
const PAUSE: Duration = Duration::from_millis(1);

/// Plants the defect in the store's settings.
fn adjust(settings: &mut StoreBuilder) {
    settings.retry = RetryProfile { first: PAUSE, max: PAUSE, ..settings.retry };
}
