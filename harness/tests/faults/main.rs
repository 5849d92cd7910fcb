//! Every fault on a real Redis: it takes effect, is healed, and affects nothing without load.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bites;
mod clock;
mod conformance;
mod impostor;
mod keys;
mod nemesis;
mod process;
mod server;
#[path = "../support/mod.rs"]
mod support;
