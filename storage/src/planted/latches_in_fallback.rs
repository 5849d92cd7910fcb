//! Its seam is in `fallback/recovery.rs`.

use super::{Noticed, Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "latches-in-fallback",
    about: "After a second outage memory stays in charge for ever.",
    source: "reference system T (giving up after 10 retries never comes back)",
    scenarios: &[Noticed { scenario: "two-outages", by: "gate recovery, checker lost-writes" }],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         100 p0 part refused\n\
         300 p0 append s0\n\
         500 p0 mend\n\
         1500 p0 part refused\n\
         1700 p0 append s0\n\
         1900 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
