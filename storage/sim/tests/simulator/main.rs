//! The simulation against a real redis-server, and against itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod determinism;
mod differential;
mod found;
mod promises;
