//! The reference session store of Firedrill, usable on its own in any service.
//!
//! [`SessionStore`] is the common interface of [`MemoryStore`], [`RedisStore`], and [`Fallback`], which puts memory
//! behind Redis under a failure [`Policy`]; [`AppendStore`] adds [`append`](AppendStore::append). Sessions are generic over their data: anything that implements
//! [`SessionData`] can be stored. The crate ships the trivia game's record ([`TriviaSession`]) and the chat service's
//! ([`Conversation`]).
//!
//! ```no_run
//! use std::time::Duration;
//! use firedrill_storage::{SessionId, StoreBuilder, Timestamp, TriviaSession, UserId};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let hour = Duration::from_secs(3600);
//! let store = StoreBuilder::new("redis://127.0.0.1:6379").build::<TriviaSession>()?.store;
//! let id = SessionId::random();
//! let game = TriviaSession::sized(id.clone(), UserId::Number(7), 50_000, Timestamp::now());
//! store.create(&id, game, hour).await?;
//! let read = store.get(&id, hour).await?;
//! println!("{:?}, by {:?}", read.value.map(|session| session.version), read.served_by);
//! # Ok(())
//! # }
//! ```
//!
//! | policy | Redis away | Redis back | promise |
//! |---|---|---|---|
//! | `fail-fast` | a typed error within the deadline | at once | no acknowledged write is lost; never stale |
//! | `degrade` | memory answers | memory is dropped | available; what was written in the outage is lost, and counted |
//! | `drain` | memory and its warm copies answer | written back by version | nothing acknowledged is lost, see below |
//! | `silent-cache` | nothing is found, writes are dropped | at once, without stale sessions | never fails; never wrong |
//! | `dual-write` | memory answers | both are made current | switch to Redis, and back, without losing a session |
//! | `memory` | not used | not used | lost on restart, or when memory is full, and only then |
//!
//! `drain` stays available. While the process lives, nothing acknowledged is lost and no destroyed session comes back.
//! `silent-cache` removes from Redis the sessions that its dropped writes made stale.
//!
//! A [`Switchable`] changes its policy under traffic: a migration to Redis, and the way back. Any policy that uses
//! Redis can be combined with a circuit breaker ([`BreakerConfig`]).
//!
//! For a read-modify-write, use a `get` and an [`update`](SessionStore::update) from the version that was read. A
//! [`put`](SessionStore::put) after a `get` writes unconditionally, and loses what others wrote in between. Concurrent
//! [`append`](AppendStore::append)s lose nothing.
//!
//! Every error says whether the operation may still have taken effect: [`StoreError::effect`].

pub mod award;
mod breaker;
mod builder;
mod cleanup;
pub mod clock;
pub mod config;
pub mod data;
pub mod error;
pub mod event;
mod eviction;
pub mod fallback;
pub mod game;
pub mod health;
pub mod keyring;
mod limits;
mod lineage;
pub mod memory;
pub mod metrics;
pub mod network;
mod operation;
mod outage;
pub mod planted;
pub mod policy;
pub mod record;
pub mod redis_store;
mod refusals;
mod retired;
mod scoped;
mod session;
mod slab;
pub mod store;
#[cfg(feature = "tower-sessions")]
pub mod tower;

pub use award::{Awardable, Claim, ClaimToken};
pub use breaker::{BreakerConfig, BreakerState, BreakerStats};
pub use builder::{BuiltStore, StoreBuilder};
pub use cleanup::INTERVAL as CLEANUP_INTERVAL;
pub use clock::{Clock, ManualClock, MonotonicClock};
pub use config::{Config, ConfigError, OpenStore, StoreConfig};
pub use data::{MergeReport, SessionData, Splice};
pub use error::{Effect, StoreError, Undecryptable};
pub use event::{Event, EventSink, FallbackCause};
pub use fallback::{Fallback, FallbackConfig, FallbackStats, Progress, Switchable};
pub use game::{GameError, Games};
pub use keyring::{InvalidKey, Key, KeyId, KeyRing, NoRandomness};
pub use limits::Limits;
pub use memory::{MemoryConfig, MemoryStore};
pub use network::{Network, Randomness, Stream};
pub use policy::{Policy, UnknownPolicy};
pub use record::conversation::{Conversation, Message};
pub use record::timestamp::Timestamp;
pub use record::trivia::{Answer, Question, TriviaSession, UserId};
pub use redis_store::{
    BuildError, COMMANDS as REDIS_COMMANDS, ClientCertificate, ConnectionStats, Credentials, Deployment, Growth,
    PasswordSource, RedisBuilder, RedisStore, RetryProfile, TlsOptions, refusal_in_words,
};
pub use store::{Acked, AppendStore, Health, HealthStatus, ServedBy, Session, SessionId, SessionStore, Version};
