//! Changes `redis_store/lua/write_back.lua`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "drain-overwrites-newer",
    about: "The drain writes without comparing versions, over what another process wrote meanwhile.",
    source: "fastify/session#237; reference system T (reads that rewrite the whole value lose concurrent answers)",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain processes 2\n\
         0 p0 create s0\n\
         50 p1 get s0\n\
         100 p1 part refused\n\
         300 p1 append s0\n\
         400 p0 append s0\n\
         600 p1 mend",
    ),
    keeps_contract: true,
    lua: Some(("if version and (version ~= base or last ~= ARGV[11]) then", "if false then")),
};
