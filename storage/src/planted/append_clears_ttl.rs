//! Changes `redis_store/lua/room.lua`.

use super::{Noticed, Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "append-clears-ttl",
    about: "An append rewrites the value with a plain SET, which clears its lifetime.",
    source: "redis.io/docs/latest/commands/set (a plain SET clears the lifetime); spring-projects/spring-session#2464",
    scenarios: &[Noticed { scenario: "ttl-jump", by: "checker immortal-keys" }],
    shown_by: Shown::Schedule(
        "seed 1 policy drain ttl 800 fixed-ttl\n\
         0 p0 create s0\n\
         100 p0 append s0\n\
         105 p0 append s0\n\
         110 p0 append s0\n\
         115 p0 append s0\n\
         120 p0 append s0\n\
         125 p0 append s0\n\
         130 p0 append s0\n\
         135 p0 append s0\n\
         140 p0 append s0\n\
         145 p0 append s0\n\
         150 p0 append s0\n\
         155 p0 append s0\n\
         160 p0 append s0\n\
         165 p0 append s0\n\
         170 p0 append s0\n\
         175 p0 append s0\n\
         180 p0 append s0\n\
         185 p0 append s0\n\
         190 p0 append s0\n\
         195 p0 append s0\n\
         200 p0 append s0\n\
         205 p0 append s0\n\
         210 p0 append s0\n\
         215 p0 append s0\n\
         220 p0 append s0\n\
         225 p0 append s0\n\
         230 p0 append s0\n\
         235 p0 append s0\n\
         240 p0 append s0\n\
         245 p0 append s0\n\
         250 p0 append s0\n\
         255 p0 append s0\n\
         260 p0 append s0\n\
         265 p0 append s0\n\
         270 p0 append s0\n\
         275 p0 append s0\n\
         280 p0 append s0\n\
         285 p0 append s0\n\
         290 p0 append s0\n\
         295 p0 append s0\n\
         300 p0 append s0\n\
         305 p0 append s0\n\
         310 p0 append s0\n\
         315 p0 append s0\n\
         320 p0 append s0\n\
         325 p0 append s0\n\
         330 p0 append s0\n\
         335 p0 append s0\n\
         340 p0 append s0\n\
         345 p0 append s0\n\
         350 p0 append s0\n\
         355 p0 append s0\n\
         360 p0 append s0\n\
         365 p0 append s0\n\
         370 p0 append s0\n\
         375 p0 append s0\n\
         380 p0 append s0\n\
         385 p0 append s0\n\
         390 p0 append s0\n\
         395 p0 append s0\n\
         1500 p0 get s0",
    ),
    keeps_contract: true,
    lua: Some(("  redis.call('PEXPIRE', KEYS[1], ARGV[3])\n  if user then index(", "  if user then index(")),
};
