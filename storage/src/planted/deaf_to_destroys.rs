//! Its seam is in `redis_store/news.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "deaf-to-destroys",
    about: "What another process destroys is not noticed, so an outage shows the session again.",
    source: "express-rate-limit/rate-limit-redis#20; this store before its review, K2",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain processes 2\n\
         0 p0 create s0\n\
         50 p1 get s0\n\
         100 p0 destroy s0\n\
         400 p1 part refused\n\
         500 p1 get s0\n\
         900 p1 mend",
    ),
    keeps_contract: true,
    lua: None,
};
