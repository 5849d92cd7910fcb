//! Its seam is in `fallback/recovery.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "gives-up-unreadable",
    about: "At the end of an outage, a session that cannot be decrypted at present is given up.",
    source: "reference system R (a value that fails to decrypt becomes an empty session); this store before its review, K10",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain processes 2 encrypted\n\
         0 p0 create s0\n\
         100 p1 get s0\n\
         200 p1 part refused\n\
         300 p1 append s0\n\
         400 p0 rotate\n\
         460 p0 put s0\n\
         600 p1 mend\n\
         3000 p0 get s0",
    ),
    keeps_contract: true,
    lua: None,
};
