//! Its seam is in `fallback/cache/serve.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "silent-cache-shows-stale",
    about: "Under silent-cache a dropped write or deletion is forgotten: afterwards Redis shows what it made stale.",
    source: "tj/connect-redis#328; reference system S, S3",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy silent-cache\n\
         0 p0 create s0\n\
         100 p0 part refused\n\
         300 p0 destroy s0\n\
         600 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
