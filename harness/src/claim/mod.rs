//! Claims: figures that a design states of its store ("a read takes less than 10 ms"), each proven or refuted by probes on
//! the drill's Redis before the load starts. One file per kind of probe.
//!
//! The figure of a claim is the median of its probes: what the scheduler of a busy machine does to a few of them is not
//! the store's doing. The largest stands beside it.

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
pub use error::ClaimError;
pub use site::Site;

/// Something that is claimed of a store: one row of [`CLAIMS`].
#[derive(Clone, Copy)]
pub struct Claim {
    /// The word used in scenarios.
    pub name: &'static str,
    /// What is timed.
    pub about: &'static str,
    probe: for<'a> fn(&'a Site) -> Probe<'a>,
}

/// The times that the probes of a claim took, on their way.
type Probe<'a> = Pin<Box<dyn Future<Output = Result<Vec<Duration>, ClaimError>> + Send + 'a>>;

/// Everything that can be claimed. To add a claim, write its row and its probe.
pub static CLAIMS: [Claim; 12] = {
    const fn row(name: &'static str, about: &'static str, probe: for<'a> fn(&'a Site) -> Probe<'a>) -> Claim {
        Claim { name, about, probe }
    }
    [
        row("connect", "first connection of a new store, its PING answered", |site| {
            Box::pin(connection::connect(site))
        }),
        row("disconnect", "from dropping a store until its connections are gone", |site| {
            Box::pin(connection::disconnect(site))
        }),
        row("create.redis", "making a store in Redis", |site| Box::pin(async { creation::in_redis(site) })),
        row("create.memory", "making a store in memory", |_| Box::pin(async { Ok(creation::in_memory()) })),
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
        row("health.healthy", "health, with Redis there", |site| Box::pin(health::healthy(site))),
        row("health.degraded", "health, with Redis off the network", |site| Box::pin(health::degraded(site))),
    ]
};

impl Measurable for Claim {
    fn parse(key: &str) -> Option<Self> {
        CLAIMS.iter().copied().find(|claim| claim.name == key)
    }

    fn dimension(&self) -> Dimension {
        Dimension::Time
    }

    fn known(_: &str) -> String {
        let names: Vec<&str> = CLAIMS.iter().map(|claim| claim.name).collect();
        format!("what can be claimed: {}", names.join(", "))
    }

    fn schema() -> schemars::Schema {
        let claim = |claim: &Claim| {
            let says = serde_json::json!({ "type": "string", "description": claim.about, "examples": ["< 10ms"] });
            (claim.name.to_owned(), says)
        };
        let properties: serde_json::Map<_, _> = CLAIMS.iter().map(claim).collect();
        schemars::json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
    }
}

impl PartialEq for Claim {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Holds each claim of a scenario against its probes, in the scenario's order. What could not be measured is unknown.
pub async fn prove(claims: &Limits<Claim>, site: &Site) -> Vec<Gate> {
    let mut proven = Vec::new();
    for LimitSpec { of: claim, limit, .. } in claims.iter() {
        let (actual, verdict, note) = match (claim.probe)(site).await {
            Ok(times) => {
                let Times { median, largest, count } = Times::of(times);
                let verdict = if limit.holds(median) { GateVerdict::Pass } else { GateVerdict::Fail };
                let note = format!("{}; median of {count}, at most {}", claim.about, text::millis(largest * 1e3));
                (Some(median * 1e3), verdict, note)
            }
            Err(error) => (None, GateVerdict::Unknown, format!("{}: {error}", claim.about)),
        };
        proven.push(Gate::new(claim.name, limit.to_string(), Unit::Milliseconds, actual, verdict).with_note(note));
    }
    proven
}

/// What many probes come to, in seconds.
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
    fn the_figure_of_many_probes_is_their_median() {
        let Times { median, largest, count } = Times::of([9, 1, 2].map(Duration::from_secs).to_vec());
        assert_eq!((median, largest, count), (2.0, 9.0, 3));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_claim_is_measured_proven_within_its_limit_and_refuted_beyond_it() {
        let config = ManagedConfig { persistence: Persistence::None, ..ManagedConfig::default() };
        let lab = Lab::managed(&config).await.unwrap();
        let site = Site::at(lab.url(), lab.prefix(), 2_000).await.unwrap();
        let limited = |limit: &str| CLAIMS.iter().map(|claim| (claim.name.to_owned(), limit.to_owned())).collect();
        for (limit, verdict) in [("< 1h", GateVerdict::Pass), ("> 1h", GateVerdict::Fail)] {
            let proven = prove(&limited(limit), &site).await;
            assert_eq!(proven.len(), CLAIMS.len());
            for gate in &proven {
                assert_eq!(gate.verdict, verdict, "{gate:?}");
                assert!(gate.actual.is_some(), "{gate:?}");
            }
        }
        assert_eq!(lab.scan_keys().await.unwrap().immortal_count, 0);
    }

    #[tokio::test]
    async fn what_cannot_be_measured_is_neither_proven_nor_refuted() {
        let nowhere = RedisUrl::plain("127.0.0.1", 1).unwrap();
        let site = Site::at(&nowhere, &KeyPrefix::random(), 2_000).await.unwrap();
        let claims = [("connect".to_owned(), "< 1h".to_owned())].into_iter().collect();
        let proven = prove(&claims, &site).await;
        assert_eq!((proven[0].verdict, proven[0].actual), (GateVerdict::Unknown, None));
    }
}
