//! Sessions in Redis, shared by every process that uses the same prefix.
//!
//! A session is one key with one JSON text as its value (`envelope`). Reads are a single `GETEX`, which slides the expiry
//! in the same round trip. Writes are scripts (`script`) that count the version on the server: value, lifetime, the
//! user's index and a destroyed session's tombstone change in one atomic step. An append whose data allows it sends the
//! new item alone, which is spliced into the value in place; a large value goes ahead of its script (`request`).
//!
//! Every call has a deadline of its own, which begins before a connection is waited for (`link`). Nothing with an unknown
//! outcome is ever sent again, and an error says which it is (`failure`). A call that is dropped half-way may still take
//! effect, in its turn; its answer is thrown away and never reaches another caller.
//!
//! Points in time are the server's alone: only durations are sent, so a client's clock that is wrong expires nothing.
//!
//! The server is one (`link`), found again at every attempt to connect (`connector`, `sentinel`), or a cluster (`cluster`).
//! There a session and its tombstone lie in one slot, and a user's index in a slot of its own (`far_index`).

mod address;
pub(crate) mod back;
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
mod request;
mod retry;
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
pub use commands::COMMANDS;
pub use config::RedisBuilder;
pub use deployment::{Credentials, Deployment, DeploymentError};
pub(crate) use retry::Backoff;
pub use retry::{Growth, RetryProfile, UnknownProfile};
pub use store::{ConnectionStats, RedisStore};
pub use tls::{ClientCertificate, HandshakeError, Tls, TlsError, TlsOptions};
pub use words::refusal_in_words;
