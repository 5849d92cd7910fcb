//! Changes `redis_store/lua/write_back.lua`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "drain-ignores-tombstones",
    about: "The drain writes back a session that another process destroyed meanwhile.",
    source: "rack/rack GHSA-9j94-67jr-4cqj; reference system T (reads bring deleted sessions back)",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain processes 2\n\
         0 p0 create s0\n\
         50 p1 get s0\n\
         100 p1 part refused\n\
         300 p1 append s0\n\
         400 p0 destroy s0\n\
         600 p1 mend",
    ),
    keeps_contract: true,
    lua: Some(("if ended(destroyed, at, base, heard, made) then", "if false then")),
};
