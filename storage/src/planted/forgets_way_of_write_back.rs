//! Its seam is in `redis_store/ruling.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "forgets-way-of-write-back",
    about: "The way of a write-back is left out: a put in an outage seems younger, and outlives another's later destroy.",
    source: "rack/rack GHSA-9j94-67jr-4cqj (a slow save after the fact); this store, K2",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain processes 2\n\
         0 p0 create s0\n\
         50 p1 get s0\n\
         100 p1 part refused\n\
         300 p1 put s0\n\
         340 p0 destroy s0\n\
         350 p1 doom late 60\n\
         350 p1 doom late 60\n\
         350 p1 doom late 60\n\
         350 p1 doom late 60\n\
         360 p1 mend\n\
         1200 p0 get s0",
    ),
    keeps_contract: true,
    lua: None,
};
