//! Its seam is in `fallback/store.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "denies-effect",
    about: "A refusal by the fallback is returned as certain although Redis may have carried out the call.",
    source: "redis/ioredis autoResendUnfulfilledCommands (an unknown outcome taken for none); this store before its review, K7",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 21 policy degrade\n\
         2 p0 create s0\n\
         339 p0 append s3\n\
         349 freeze\n\
         413 p0 append s0\n\
         841 p0 get s3",
    ),
    keeps_contract: true,
    lua: None,
};
