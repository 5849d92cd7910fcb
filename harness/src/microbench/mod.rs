//! Microbenchmarks of the store, run on the drill's Redis before the load starts. A scenario's `[claims]` are limits on
//! them: the figures that a design claims for its store ("a read takes less than 10 ms"). One file per group.
//!
//! The result is the median, because the scheduler of a busy machine delays a few rounds through no fault of the store.
//! The report also shows the maximum.

mod connection;
mod creation;
mod encryption;
mod error;
mod health;
mod operation;
mod site;

use std::pin::Pin;
use std::time::Duration;

use firedrill_reports::run::{Gate, GateVerdict, Unit};
use firedrill_reports::text;

use crate::gate::{Dimension, LimitSpec, Limits, Measurable};
pub use error::MicrobenchError;
pub use site::Site;

/// One row of [`MICROBENCHES`].
#[derive(Clone, Copy)]
pub struct Microbench {
    /// Its name in scenarios.
    pub name: &'static str,
    /// What is measured.
    pub about: &'static str,
    run: for<'a> fn(&'a Site) -> Rounds<'a>,
}

/// Measures the times of all rounds.
type Rounds<'a> = Pin<Box<dyn Future<Output = Result<Vec<Duration>, MicrobenchError>> + Send + 'a>>;

/// All microbenchmarks. To add one, add its row and its function.
pub static MICROBENCHES: [Microbench; 12] = {
    const fn row(name: &'static str, about: &'static str, run: for<'a> fn(&'a Site) -> Rounds<'a>) -> Microbench {
        Microbench { name, about, run }
    }
    [
        row("connect", "first connection of a new store, its PING answered", |site| {
            Box::pin(connection::connect(site))
        }),
        row("disconnect", "from dropping a store until its connections are gone", |site| {
            Box::pin(connection::disconnect(site))
        }),
        row("create.redis", "building a store in Redis", |site| Box::pin(async { creation::in_redis(site) })),
        row("create.memory", "building a store in memory", |_| Box::pin(async { Ok(creation::in_memory()) })),
        row("redis.read", "reading a session in Redis", |site| {
            Box::pin(async { operation::read(&site.redis_store()?, site.bytes).await })
        }),
        row("redis.write", "writing a session to Redis", |site| {
            Box::pin(async { operation::write(&site.redis_store()?, site.bytes).await })
        }),
        row("redis.operation", "reading, writing or answering, in Redis", |site| {
            Box::pin(async { operation::any(&site.redis_store()?, site.bytes).await })
        }),
        row("memory.operation", "reading, writing or answering, in memory", |site| {
            Box::pin(async { operation::any(&operation::memory(), site.bytes).await })
        }),
        row("encrypt", "sealing a session with AES-256-GCM", |site| {
            Box::pin(async { encryption::encrypt(site.bytes) })
        }),
        row("decrypt", "opening a sealed session", |site| Box::pin(async { encryption::decrypt(site.bytes) })),
        row("health.healthy", "health, with Redis up", |site| Box::pin(health::healthy(site))),
        row("health.degraded", "health, with Redis off the network", |site| Box::pin(health::degraded(site))),
    ]
};

impl Measurable for Microbench {
    fn parse(key: &str) -> Option<Self> {
        MICROBENCHES.iter().copied().find(|bench| bench.name == key)
    }

    fn dimension(&self) -> Dimension {
        Dimension::Time
    }

    fn keys(_: &str) -> Vec<String> {
        MICROBENCHES.iter().map(|bench| bench.name.to_owned()).collect()
    }

    fn known() -> String {
        let names: Vec<&str> = MICROBENCHES.iter().map(|bench| bench.name).collect();
        format!("what can be claimed: {}", names.join(", "))
    }

    fn schema() -> schemars::Schema {
        let property = |bench: &Microbench| {
            let limit = serde_json::json!({
                "type": "string", "description": bench.about, "examples": ["< 10ms"],
                "pattern": Dimension::Time.pattern(),
            });
            (bench.name.to_owned(), limit)
        };
        let properties: serde_json::Map<_, _> = MICROBENCHES.iter().map(property).collect();
        schemars::json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
    }
}

impl PartialEq for Microbench {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Microbench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Measures each claim of a scenario and compares it with its limit, in scenario order. A claim that could not be
/// measured is unknown.
pub async fn prove(claims: &Limits<Microbench>, site: &Site) -> Vec<Gate> {
    let mut proven = Vec::new();
    for LimitSpec { of: bench, limit, .. } in claims.iter() {
        let (actual, verdict, note) = match (bench.run)(site).await {
            Ok(times) => {
                let Times { median, largest, count } = Times::of(times);
                let verdict = if limit.holds(median) { GateVerdict::Pass } else { GateVerdict::Fail };
                let note = format!("{}; median of {count}, at most {}", bench.about, text::millis(largest * 1e3));
                (Some(median * 1e3), verdict, note)
            }
            Err(error) => (None, GateVerdict::Unknown, format!("{}: {error}", bench.about)),
        };
        proven.push(Gate::new(bench.name, limit.to_string(), Unit::Milliseconds, actual, verdict).with_note(note));
    }
    proven
}

/// The times of many rounds, in seconds.
struct Times {
    median: f64,
    largest: f64,
    count: usize,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |place: usize| times.get(place).map_or(f64::NAN, Duration::as_secs_f64);
        Self { median: at(times.len() / 2), largest: at(times.len().saturating_sub(1)), count: times.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{KeyPrefix, Lab, ManagedConfig, Persistence, RedisUrl};

    #[test]
    fn the_result_of_many_rounds_is_their_median() {
        let Times { median, largest, count } = Times::of([9, 1, 2].map(Duration::from_secs).to_vec());
        assert_eq!((median, largest, count), (2.0, 9.0, 3));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_claim_is_measured_proven_within_its_limit_and_refuted_beyond_it() {
        let config = ManagedConfig { persistence: Persistence::None, ..ManagedConfig::default() };
        let lab = Lab::managed(&config).await.unwrap();
        let site = Site::at(lab.url(), lab.prefix(), 2_000).await.unwrap();
        let limited =
            |limit: &str| MICROBENCHES.iter().map(|bench| (bench.name.to_owned(), limit.to_owned())).collect();
        for (limit, verdict) in [("< 1h", GateVerdict::Pass), ("> 1h", GateVerdict::Fail)] {
            let proven = prove(&limited(limit), &site).await;
            assert_eq!(proven.len(), MICROBENCHES.len());
            for gate in &proven {
                assert_eq!(gate.verdict, verdict, "{gate:?}");
                assert!(gate.actual.is_some(), "{gate:?}");
            }
        }
        assert_eq!(lab.scan_keys().await.unwrap().immortal_count, 0);
    }

    #[tokio::test]
    async fn a_claim_that_cannot_be_measured_is_neither_proven_nor_refuted() {
        let nowhere = RedisUrl::plain("127.0.0.1", 1).unwrap();
        let site = Site::at(&nowhere, &KeyPrefix::random(), 2_000).await.unwrap();
        let claims = [("connect".to_owned(), "< 1h".to_owned())].into_iter().collect();
        let proven = prove(&claims, &site).await;
        assert_eq!((proven[0].verdict, proven[0].actual), (GateVerdict::Unknown, None));
    }
}
