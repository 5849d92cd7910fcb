//! Changes `redis_store/lua/write_back.lua`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "drain-gives-full-ttl",
    about: "What is written back gets a whole hour, however little of its lifetime was left.",
    source: "spring-projects/spring-session#2464; reference system T (memory ignores the lifetime)",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain ttl 800 fixed-ttl\n\
         0 p0 create s0\n\
         100 p0 part refused\n\
         200 p0 append s0\n\
         500 p0 mend\n\
         2500 p0 get s0",
    ),
    keeps_contract: true,
    lua: Some(("local base, made, heard =", "ARGV[3] = '3600000'\nlocal base, made, heard =")),
};
