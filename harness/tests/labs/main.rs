//! What drills run on: managed servers, containers, external servers, groups of servers; and how they are healed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod compose;
mod death;
mod docker;
mod ends;
mod external;
mod foreign;
mod groups;
mod heal;
mod kills;
mod managed;
mod own_redis;
mod raw;
mod shared;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod topologies;
mod toxiproxy;
