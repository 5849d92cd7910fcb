//! Its seam is in `fallback/recovery.rs`.

use super::{Noticed, Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "drains-one-page",
    about: "The drain writes a first page back and ends: the rest is dropped without a word.",
    source: "reference system T (the fallback map is never drained, so sessions made during an outage vanish)",
    scenarios: &[Noticed { scenario: "two-outages", by: "checkers lost-writes, read-your-writes and monotonic-reads" }],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         10 p0 part refused\n\
         100 p0 create s0\n\
         105 p0 create s1\n\
         110 p0 create s2\n\
         115 p0 create s3\n\
         120 p0 create s4\n\
         125 p0 create s5\n\
         130 p0 create s6\n\
         135 p0 create s7\n\
         140 p0 create s8\n\
         145 p0 create s9\n\
         150 p0 create s10\n\
         155 p0 create s11\n\
         160 p0 create s12\n\
         165 p0 create s13\n\
         170 p0 create s14\n\
         175 p0 create s15\n\
         180 p0 create s16\n\
         185 p0 create s17\n\
         190 p0 create s18\n\
         195 p0 create s19\n\
         300 p0 mend",
    ),
    keeps_contract: true,
    lua: None,
};
