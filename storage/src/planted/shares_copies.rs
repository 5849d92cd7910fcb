//! Its seam is in `fallback/cache/serve.rs`.

use super::{Noticed, Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "shares-copies",
    about: "In an outage a call gets another user's session.",
    source: "CVE-2023-28858, redis/redis-py#2624",
    scenarios: &[Noticed { scenario: "two-outages", by: "checkers isolation and lost-writes" }],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         10 p0 create s1\n\
         100 p0 part refused\n\
         300 p0 append s0\n\
         320 p0 append s1\n\
         340 p0 get s1\n\
         600 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
