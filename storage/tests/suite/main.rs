//! The store's tests against a real redis-server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod app;
mod award;
mod bad_line;
mod contract;
mod contract_cases;
mod conversation;
mod fallback_drain;
mod fallback_outage;
mod game;
mod health;
mod log_lines;
mod migration;
mod policies;
mod properties;
mod redis_fence;
mod redis_outage;
mod redis_values;
mod retry;
mod sample;
mod sentinel;
mod server;
mod server_operation;
mod support;
mod tls;
