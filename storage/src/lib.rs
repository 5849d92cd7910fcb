//! The reference session store of Firedrill, usable alone in any service.
//!
//! [`SessionStore`] is the one interface; small types compose behind it: a memory store, a Redis store and the
//! [fallback policies](store::Policy) between them. The session is generic over its data: whatever implements
//! [`SessionData`] can be stored, and the trivia game's record is shipped.

pub mod data;
pub mod error;
pub mod event;
pub mod store;

pub use data::{MergeReport, SessionData};
pub use error::{Effect, StoreError};
pub use event::{Event, EventSink, FallbackCause};
pub use store::{Acked, Health, HealthStatus, ServedBy, Session, SessionId, SessionStore, Version};
