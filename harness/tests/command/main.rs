//! The command line, the load generator, and what the documents promise.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod application;
mod capacity;
mod catalogue;
mod circles;
mod compare;
mod defects;
mod evidence;
mod history;
mod install;
mod library;
mod limits;
mod line;
mod load;
mod own_app;
mod pages;
mod pipeline;
mod pipelined;
mod places;
mod plans;
mod requirements;
mod runs;
mod schema;
mod secrets;
mod selftest;
mod supply_chain;
#[path = "../support/mod.rs"]
mod support;
mod target_redis;
mod watch;
