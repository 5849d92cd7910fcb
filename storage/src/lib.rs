//! The reference session store of Firedrill, usable alone in any service.
//!
//! [`SessionStore`] is the one interface; small types compose behind it: a memory store, a Redis store and the
//! fallback policies between them. The session is generic over its data: whatever implements
//! [`SessionData`] can be stored, and the trivia game's record is shipped.

mod builder;
pub mod clock;
pub mod data;
pub mod error;
pub mod event;
pub mod fallback;
pub mod memory;
mod operation;
pub mod record;
pub mod redis_store;
mod slab;
pub mod store;

pub use builder::{BuiltStore, StoreBuilder};
pub use clock::{Clock, ManualClock, MonotonicClock};
pub use data::{MergeReport, SessionData, Splice};
pub use error::{Effect, StoreError};
pub use event::{Event, EventSink, FallbackCause};
pub use fallback::{Fallback, FallbackConfig, FallbackStats, Policy, UnknownPolicy};
pub use memory::{MemoryConfig, MemoryStore};
pub use record::timestamp::Timestamp;
pub use record::trivia::{Answer, Question, TriviaSession, UserId};
pub use redis_store::{BuildError, RedisBuilder, RedisStore};
pub use store::{Acked, Health, HealthStatus, ServedBy, Session, SessionId, SessionStore, Version};
