//! Changes `redis_store/lua/write_back.lua`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "drain-leaves-old-id",
    about: "The drain writes a renamed session back under its new id and leaves it under the old one.",
    source: "goharbor/harbor#23290, spring-projects/spring-session#1399",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         100 p0 part refused\n\
         200 p0 rename s0 s1\n\
         400 p0 mend",
    ),
    keeps_contract: true,
    lua: Some(("  bury(KEYS[key], KEYS[key + 1], next, tonumber(ARGV[3]), ARGV[13], others, ARGV[2])\n", "")),
};
