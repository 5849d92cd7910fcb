//! Its seam is in `fallback/cache/heard.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "keeps-old-tombstone",
    about: "A delayed append leaves the tombstone of the session before in place, so an outage denies the new one.",
    source: "expressjs/session#632; this store before its review, K3",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1483 policy drain processes 2\n\
         24 p0 create s0\n\
         526 p1 destroy s0\n\
         651 p0 create s0\n\
         972 p1 append s0\n\
         1027 crash 0\n\
         1099 p1 get s0",
    ),
    keeps_contract: true,
    lua: None,
};
