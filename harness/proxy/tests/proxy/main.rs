//! The proxy in front of a real redis-server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod commands;
mod cut;
mod down;
mod http;
mod redis;
mod standalone;
mod support;
mod toxics;
mod toxiproxy;
