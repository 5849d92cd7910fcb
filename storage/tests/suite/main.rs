//! The store's tests against a real redis-server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod app;
mod contract;
mod contract_cases;
mod fallback_drain;
mod fallback_outage;
mod properties;
mod redis_fence;
mod redis_outage;
mod redis_values;
mod server;
mod support;
