//! Changes `redis_store/lua/put.lua` and `redis_store/lua/create.lua`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "revives-old-ids",
    about: "A slow request that saves its session under an id that was replaced at login brings that id back.",
    source: "expressjs/session#923",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         100 p0 rename s0 s1\n\
         200 p0 put s0",
    ),
    keeps_contract: false,
    lua: Some(("if heir then return answer(reject(renamed())) end\n", "")),
};
