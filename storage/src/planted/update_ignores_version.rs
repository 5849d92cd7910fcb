//! Changes `redis_store/lua/update.lua`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "update-ignores-version",
    about: "An update is written whatever version the session has.",
    source: "fastify/session#237, aspnet/Session#60",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         50 p0 delay 20\n\
         100 p0 update s0\n\
         101 p0 update s0\n\
         102 p0 update s0\n\
         103 p0 update s0",
    ),
    keeps_contract: false,
    lua: Some(("if version ~= tonumber(ARGV[7]) then return answer(reject(-version)) end", "")),
};
