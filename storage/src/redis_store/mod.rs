//! Sessions in Redis, shared by every process that uses the same prefix.
//!
//! A session is one key with one JSON text as its value (`envelope`). With sliding expiry a read is a single `GETEX`,
//! which extends the lifetime in the same round trip. Writes are scripts (`script`) that increment the version on the
//! server: value, lifetime, the user's index and a destroyed session's tombstone change in one atomic step. If the data
//! allows it, an append sends only the new item, which is spliced into the value in place; a large value is sent ahead
//! of its script (`request`).
//!
//! Every call has its own deadline, which includes the wait for a connection (`link`). Nothing with an unknown outcome
//! is ever resent, and an error says whether the outcome is unknown (`failure`). A call dropped half-way may still take
//! effect, in its turn; its reply is thrown away and never reaches another caller.
//!
//! Points in time come from the server alone: clients send only durations, so a wrong client clock expires nothing.
//!
//! The server is a single one (`link`), located again at every attempt to connect (`connector`, `sentinel`), or a
//! cluster (`cluster`). In a cluster a session and its tombstone share a slot, and a user's index has a slot of its own
//! (`far_index`).

mod address;
pub(crate) mod back;
#[cfg(test)]
mod bad_input;
mod build_error;
pub(crate) mod calls;
mod cluster;
mod codec;
mod commands;
mod condition;
mod config;
mod connector;
mod deployment;
mod dial;
mod envelope;
mod failure;
mod far_index;
mod index;
mod info;
mod key_names;
mod link;
pub(crate) mod news;
mod operations;
mod rename;
mod request;
mod retry;
mod ruling;
mod script;
mod sealed;
mod sealing;
mod sentinel;
mod servers;
mod store;
mod stored;
mod tls;
mod words;

pub use build_error::{BuildError, InvalidUrl};
pub use cluster::slot::of as slot_of;
pub use commands::COMMANDS;
pub use config::RedisBuilder;
pub use deployment::{Credentials, Deployment, DeploymentError};
pub use dial::PasswordSource;
pub(crate) use retry::Backoff;
pub use retry::{Growth, RetryProfile, UnknownProfile};
pub use store::{ConnectionStats, RedisStore};
pub use tls::{ClientCertificate, HandshakeError, Tls, TlsError, TlsOptions};
pub use words::refusal_in_words;
