//! Changes `redis_store/lua/destroy.lua`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "leaves-no-tombstone",
    about: "A destroyed session leaves no tombstone, so another process's drain brings it back.",
    source: "expressjs/session#632, rack/rack GHSA-9j94-67jr-4cqj",
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
    lua: Some(("  redis.call('SET', gone, stone, 'PX', string.format('%d', life))\n", "")),
};
