//! Claims: figures that a design states of its store ("a read takes less than 10 ms"), each proven or refuted by probes on
//! the drill's Redis before the load starts. One file per kind of probe.
//!
//! The figure of a claim is the median of its probes: what the scheduler of a busy machine does to a few of them is not
//! the store's doing. The largest stands beside it.

mod connection;
mod creation;
mod encryption;
mod health;
mod operation;

use std::sync::Arc;
use std::time::Duration;

use firedrill_reports::run::{Gate, GateVerdict, Unit};
use firedrill_reports::text;
use indexmap::IndexMap;

use crate::gate::{Dimension, Limit};
use crate::lab::{KeyPrefix, RedisUrl};
use crate::proxy::{Proxy, ProxyServer};

/// How long a session of a probe lives: a drill that is killed leaves nothing for longer.
const TTL: Duration = Duration::from_secs(60);

/// Makes the enum of claims from one list: variant, the word used in scenarios, what is timed.
macro_rules! claims {
    ($($variant:ident, $name:literal, $about:literal;)*) => {
        /// Something that is claimed of a store.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Claim {
            $(#[doc = $about] $variant,)*
        }

        impl Claim {
            /// Every claim.
            pub const ALL: &[Claim] = &[$(Claim::$variant),*];

            /// The word used in scenarios.
            pub fn name(self) -> &'static str {
                match self {
                    $(Claim::$variant => $name,)*
                }
            }

            /// What is timed.
            pub fn about(self) -> &'static str {
                match self {
                    $(Claim::$variant => $about,)*
                }
            }
        }
    };
}

claims! {
    Connect, "connect", "first connection of a new store, its PING answered";
    Disconnect, "disconnect", "from dropping a store until its connections are gone";
    CreateRedis, "create.redis", "making a store in Redis";
    CreateMemory, "create.memory", "making a store in memory";
    RedisRead, "redis.read", "reading a session in Redis";
    RedisWrite, "redis.write", "writing a session to Redis";
    RedisOperation, "redis.operation", "reading, writing or answering, in Redis";
    MemoryOperation, "memory.operation", "reading, writing or answering, in memory";
    Encrypt, "encrypt", "sealing a session with AES-256-GCM";
    Decrypt, "decrypt", "opening a sealed session";
    HealthHealthy, "health.healthy", "health, with Redis there";
    HealthDegraded, "health.degraded", "health, with Redis off the network";
}

impl Claim {
    /// Reads an entry of `[claims]`; `None` where nothing of that name can be claimed.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|claim| claim.name() == name)
    }

    async fn measure(self, site: &Site) -> Result<Vec<Duration>, ClaimError> {
        match self {
            Claim::Connect => connection::connect(site).await,
            Claim::Disconnect => connection::disconnect(site).await,
            Claim::CreateRedis => creation::in_redis(site),
            Claim::CreateMemory => Ok(creation::in_memory()),
            Claim::RedisRead => operation::read(&site.redis_store()?, site.bytes).await,
            Claim::RedisWrite => operation::write(&site.redis_store()?, site.bytes).await,
            Claim::RedisOperation => operation::any(&site.redis_store()?, site.bytes).await,
            Claim::MemoryOperation => operation::any(&operation::memory(), site.bytes).await,
            Claim::Encrypt => encryption::encrypt(site.bytes),
            Claim::Decrypt => encryption::decrypt(site.bytes),
            Claim::HealthHealthy => health::healthy(site).await,
            Claim::HealthDegraded => health::degraded(site).await,
        }
    }
}

/// Why a claim could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] firedrill_storage::StoreError),
    /// The store could not be made.
    #[error(transparent)]
    Build(#[from] firedrill_storage::BuildError),
    /// The proxy in front of Redis failed.
    #[error(transparent)]
    Proxy(#[from] crate::proxy::ProxyError),
    /// The address of the proxy cannot stand in a URL.
    #[error(transparent)]
    Lab(#[from] crate::lab::LabError),
    /// There is no key to seal with.
    #[error(transparent)]
    Key(#[from] firedrill_storage::InvalidKey),
    /// There is no nonce to seal with.
    #[error(transparent)]
    Nonce(#[from] firedrill_storage::NoRandomness),
    /// The session cannot be written down.
    #[error("a session cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// What was waited for did not happen.
    #[error("{0}")]
    Never(&'static str),
}

/// Where claims are measured: a Redis, directly and through a proxy of their own.
pub struct Site {
    url: RedisUrl,
    proxied: RedisUrl,
    proxy: Arc<Proxy>,
    prefix: String,
    bytes: usize,
    _server: ProxyServer,
}

impl Site {
    /// The Redis at `url`, keys under `prefix`, sessions of `bytes` bytes.
    ///
    /// # Errors
    /// What the proxy's start met.
    pub async fn at(url: &RedisUrl, prefix: &KeyPrefix, bytes: usize) -> Result<Self, ClaimError> {
        let server = ProxyServer::start(0)?;
        let anywhere = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
        let proxy = server.create("claims", anywhere, url.address(), true).await?;
        let proxied = url.at(proxy.listen_addr())?;
        let prefix = format!("{prefix}claims:");
        Ok(Self { url: url.clone(), proxied, proxy, prefix, bytes, _server: server })
    }
}

/// Holds each claim of a scenario against its probes, in the scenario's order. What could not be measured is unknown.
pub async fn prove(claims: &IndexMap<String, String>, site: &Site) -> Vec<Gate> {
    let mut proven = Vec::with_capacity(claims.len());
    for (name, limit) in claims {
        // A scenario's claims have been checked when it was read.
        let Some((claim, limit)) = Claim::parse(name).zip(Limit::parse(limit, Dimension::Time)) else { continue };
        let (actual, verdict, note) = match claim.measure(site).await {
            Ok(times) => {
                let Times { median, largest, count } = Times::of(times);
                let verdict = if limit.holds(median) { GateVerdict::Pass } else { GateVerdict::Fail };
                let note = format!("{}; median of {count}, at most {}", claim.about(), text::millis(largest * 1e3));
                (Some(median * 1e3), verdict, note)
            }
            Err(error) => (None, GateVerdict::Unknown, format!("{}: {error}", claim.about())),
        };
        proven.push(Gate::new(name, limit.to_string(), Unit::Milliseconds, actual, verdict).with_note(note));
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
    use crate::lab::{Lab, ManagedConfig, Persistence};

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
        let limited =
            |limit: &str| Claim::ALL.iter().map(|claim| (claim.name().to_owned(), limit.to_owned())).collect();
        for (limit, verdict) in [("< 1h", GateVerdict::Pass), ("> 1h", GateVerdict::Fail)] {
            let proven = prove(&limited(limit), &site).await;
            assert_eq!(proven.len(), Claim::ALL.len());
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
        let claims = IndexMap::from([("connect".to_owned(), "< 1h".to_owned())]);
        let proven = prove(&claims, &site).await;
        assert_eq!((proven[0].verdict, proven[0].actual), (GateVerdict::Unknown, None));
    }
}
