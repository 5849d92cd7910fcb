//! Configuration from the environment: every variable of the four reference systems, read once and checked as a whole.
//!
//! [`StoreConfig::from_env`] is for a service that uses the store; [`Config::from_env`] adds what `session-server`
//! needs. Both can also be read from any map of names and values. All errors are reported together ([`ConfigError`]),
//! by variable name and without values. [`StoreConfig::open`] turns settings into a store.

mod address;
mod deployment;
mod error;
mod open;
mod reader;
mod secret;
mod server;
mod variables;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use error::{ConfigError, Problem};
pub use open::{OpenError, OpenStore};
pub use secret::Secret;
pub use server::ServerConfig;
pub use variables::{VARIABLES, Variable};

use crate::breaker::BreakerConfig;
use crate::builder::StoreBuilder;
use crate::cleanup::INTERVAL as CLEANUP_INTERVAL;
use crate::keyring::{Key, KeyRing};
use crate::policy::Policy;
use crate::redis_store::{RetryProfile, TlsOptions};
use reader::Reader;

/// Everything that `session-server` reads.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where sessions live.
    pub store: StoreConfig,
    /// The HTTP server.
    pub server: ServerConfig,
}

/// Where sessions live, and for how long.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Redis or memory.
    pub place: Place,
    /// How long a session lives after its last use.
    pub ttl: Duration,
    /// Whether a read restarts a session's lifetime.
    pub sliding: bool,
    /// Maximum number of sessions in a memory store; `None`: no bound.
    pub memory_capacity: Option<usize>,
    /// How often expired sessions are dropped from memory.
    pub cleanup_every: Duration,
}

/// Where sessions live.
#[derive(Clone)]
pub enum Place {
    /// In Redis, and what to do if Redis is missing at the start.
    Redis(Box<StoreBuilder>, Start),
    /// In the memory of this process.
    Memory(MemoryReason),
}

/// How a store in Redis starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Without waiting for Redis: the policy answers until there is a connection (S2).
    Lazy,
    /// With a PING first; without an answer the start fails (C).
    OrStop,
    /// With a PING first; without an answer sessions live in memory until the process restarts (T4).
    OrMemory,
}

/// Why sessions live in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryReason {
    /// Requested: USE_MEMORY_SESSIONS=true, USE_REDIS_SESSIONS=false or SESSION_POLICY=memory.
    Forced,
    /// No Redis address is set.
    NoAddress,
    /// Redis did not answer at startup.
    NoRedis(String),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(builder, start) => f
                .debug_struct("Redis")
                .field("prefix", &builder.prefix)
                .field("policy", &builder.policy)
                .field("retry", &builder.retry)
                .field("start", start)
                .finish_non_exhaustive(),
            Self::Memory(reason) => f.debug_tuple("Memory").field(reason).finish(),
        }
    }
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(Reader::from_env())
    }

    /// Reads these variables.
    pub fn from_vars<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        Self::read(Reader::new(variables))
    }

    fn read(mut reader: Reader) -> Result<Self, ConfigError> {
        let store = StoreConfig::read(&mut reader);
        let server = ServerConfig::read(&mut reader);
        reader.finish(Self { store, server })
    }
}

impl StoreConfig {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut reader = Reader::from_env();
        let read = Self::read(&mut reader);
        reader.finish(read)
    }

    /// Reads these variables.
    pub fn from_vars<K: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variables);
        let read = Self::read(&mut reader);
        reader.finish(read)
    }

    fn read(reader: &mut Reader) -> Self {
        let sliding = reader.flag("SESSION_SLIDING").unwrap_or(true);
        let cleanup_every = reader.duration("SESSION_CLEANUP_INTERVAL", SECOND, 1..=YEAR).unwrap_or(CLEANUP_INTERVAL);
        let builder =
            builder(reader, sliding).map(|builder| StoreBuilder { cleanup_every: Some(cleanup_every), ..builder });
        let start = start(reader);
        Self {
            place: place(reader, builder, start),
            ttl: reader.duration("REDIS_TTL", SECOND, 1..=YEAR).unwrap_or(SECOND * 3_600),
            sliding,
            memory_capacity: reader.number("SESSION_MEMORY_CAPACITY", 1..=usize::MAX >> 1),
            cleanup_every,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const YEAR: u32 = 366 * 86_400;

/// The store in Redis; `None` if no address was given.
fn builder(reader: &mut Reader, sliding: bool) -> Option<StoreBuilder> {
    let is_named = address::is_named(reader);
    let address = address::read(reader);
    let tls = if is_named { deployment::read_tls(reader, address.is_tls) } else { TlsOptions::default() };
    let deployment = deployment::read(reader);
    let assumed = StoreBuilder::new("");
    let policy = reader.parsed("SESSION_POLICY", &policies(), |name| name.parse().ok());
    let timeout = reader.duration("REDIS_TIMEOUT", MILLISECOND, 1..=600_000);
    let connect_timeout = reader.duration("REDIS_CONNECT_TIMEOUT", MILLISECOND, 1..=600_000);
    let capacity = reader.number("SESSION_WARM_CAPACITY", 1..=usize::MAX >> 1);
    let breaker = breaker(reader);
    let keyring = keyring(reader);
    let profiles = format!("one of {}", RetryProfile::NAMES.join(", "));
    let retry = reader.parsed("REDIS_RETRY", &profiles, |name| name.parse().ok());
    let prefix_form = "1 to 64 characters, without white space";
    let prefix = reader.parsed("REDIS_KEY_PREFIX", prefix_form, |prefix| {
        let fits = (1..=64).contains(&prefix.len()) && !prefix.contains(char::is_whitespace);
        fits.then(|| prefix.to_owned())
    });
    is_named.then(|| StoreBuilder {
        redis_url: address.url.reveal().to_owned(),
        tls,
        deployment,
        prefix: prefix.unwrap_or(assumed.prefix),
        policy: policy.unwrap_or_default(),
        command_timeout: timeout.unwrap_or(assumed.command_timeout),
        connect_timeout: connect_timeout.unwrap_or(assumed.connect_timeout),
        retry: retry.unwrap_or_default(),
        breaker,
        keyring,
        warm_capacity: capacity.unwrap_or(assumed.warm_capacity),
        sliding,
        ..assumed
    })
}

/// A circuit breaker, if requested.
fn breaker(reader: &mut Reader) -> Option<BreakerConfig> {
    let assumed = BreakerConfig::default();
    let is_on = reader.flag("SESSION_BREAKER").unwrap_or(false);
    let config = BreakerConfig {
        failures: reader.number("SESSION_BREAKER_FAILURES", 0..=1_000_000).unwrap_or(assumed.failures),
        open_for: reader.duration("SESSION_BREAKER_OPEN", MILLISECOND, 1..=3_600_000).unwrap_or(assumed.open_for),
        probes: reader.number("SESSION_BREAKER_PROBES", 1..=1_000).unwrap_or(assumed.probes),
    };
    for name in ["SESSION_BREAKER_FAILURES", "SESSION_BREAKER_OPEN", "SESSION_BREAKER_PROBES"] {
        if !is_on && reader.is_set(name) {
            reader
                .problem(&[name, "SESSION_BREAKER"], "there is no breaker: set SESSION_BREAKER=true, or leave it out");
        }
    }
    is_on.then_some(config)
}

/// The keys that seal sessions, if any.
fn keyring(reader: &mut Reader) -> Option<Arc<KeyRing>> {
    let newest = reader.parsed("SESSION_ENCRYPTION_KEY", KEY_FORM, |hex| Key::from_hex(hex).ok());
    let old_form = format!("{KEY_FORM}, or several separated by commas");
    let old = reader.list("SESSION_ENCRYPTION_OLD_KEYS", &old_form, |hex| Key::from_hex(hex).ok());
    let accept = reader.flag("SESSION_ENCRYPTION_ACCEPT_PLAINTEXT").unwrap_or(false);
    if !reader.is_set("SESSION_ENCRYPTION_KEY") {
        for name in ["SESSION_ENCRYPTION_OLD_KEYS", "SESSION_ENCRYPTION_ACCEPT_PLAINTEXT"] {
            if reader.is_set(name) {
                reader.problem(&[name, "SESSION_ENCRYPTION_KEY"], "there is no key to encrypt with: set it too");
            }
        }
    }
    Some(Arc::new(KeyRing::new(newest?, old.unwrap_or_default()).accept_plaintext(accept)))
}

const KEY_FORM: &str = "64 hex digits (make them with `openssl rand -hex 32`)";

fn policies() -> String {
    let names: Vec<_> = Policy::ALL.iter().map(|policy| policy.name()).collect();
    format!("one of {}", names.join(", "))
}

fn start(reader: &mut Reader) -> Start {
    let eager = reader.parsed("REDIS_CONNECT", "lazy or eager", |text| match text {
        "lazy" => Some(false),
        "eager" => Some(true),
        _ => None,
    });
    let failure = reader.parsed("REDIS_CONNECT_FAILURE", "stop or memory", |text| match text {
        "stop" => Some(Start::OrStop),
        "memory" => Some(Start::OrMemory),
        _ => None,
    });
    match (eager.unwrap_or(false), failure) {
        (true, failure) => failure.unwrap_or(Start::OrStop),
        (false, None) => Start::Lazy,
        (false, Some(_)) => {
            let message = "a lazy start does not fail: set REDIS_CONNECT=eager, or leave the other out";
            reader.problem(&["REDIS_CONNECT", "REDIS_CONNECT_FAILURE"], message);
            Start::Lazy
        }
    }
}

fn place(reader: &mut Reader, builder: Option<StoreBuilder>, start: Start) -> Place {
    let memory = reader.flag("USE_MEMORY_SESSIONS");
    let redis = reader.flag("USE_REDIS_SESSIONS");
    if memory.is_some() && memory == redis {
        let message = "they contradict each other: set one of the two";
        reader.problem(&["USE_MEMORY_SESSIONS", "USE_REDIS_SESSIONS"], message);
    }
    if redis == Some(true) && !address::is_named(reader) {
        reader.problem(
            &["USE_REDIS_SESSIONS", "REDIS_URL"],
            "Redis is asked for: set REDIS_URL, REDIS_HOST, REDIS_SENTINELS or REDIS_CLUSTER_NODES",
        );
    }
    match builder {
        _ if memory == Some(true) || redis == Some(false) => Place::Memory(MemoryReason::Forced),
        Some(builder) if !builder.policy.rules().uses_redis => Place::Memory(MemoryReason::Forced),
        Some(builder) => Place::Redis(Box::new(builder), start),
        None => Place::Memory(MemoryReason::NoAddress),
    }
}

#[cfg(test)]
mod tests;
