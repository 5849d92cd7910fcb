//! Its seam is in `fallback/cache/commit.rs`.

use super::{Noticed, Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "drain-forgets-deletions",
    about: "What was destroyed in an outage is not destroyed in Redis: it is back afterwards.",
    source: "tj/connect-redis#328; reference system T (the fallback map is never drained)",
    scenarios: &[Noticed { scenario: "two-outages", by: "checker resurrection" }],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         100 p0 part refused\n\
         300 p0 destroy s0\n\
         600 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
