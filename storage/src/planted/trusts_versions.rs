//! Its seams are in `fallback/cache/mod.rs` and `fallback/inner.rs` and `lineage.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "trusts-versions",
    about: "A version number is taken for lineage: after Redis lost its last writes, other content with the same number is overwritten.",
    source: "aphyr.com/posts/283-jepsen-redis; this store before its review, K1",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 120 policy drain\n\
         3 p0 create s0\n\
         87 p0 create s1\n\
         248 p0 update s0\n\
         256 fail-over 2",
    ),
    keeps_contract: true,
    lua: None,
};
