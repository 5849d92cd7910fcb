//! Its seam is in `fallback/cache/commit.rs`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "commits-late-replies",
    about: "A write-back is committed even if the session has changed since: the later change counts as saved.",
    source: "tj/connect-redis#328; this store before its review, K3",
    scenarios: &[],
    shown_by: Shown::Schedule(
        "seed 1 policy drain\n\
         0 p0 create s0\n\
         100 p0 part refused\n\
         200 p0 append s0\n\
         300 p0 delay 40\n\
         300 p0 mend\n\
         310 p0 append s0\n\
         319 p0 append s0\n\
         328 p0 append s0\n\
         337 p0 append s0\n\
         346 p0 append s0\n\
         355 p0 append s0\n\
         364 p0 append s0\n\
         373 p0 append s0\n\
         382 p0 append s0\n\
         391 p0 append s0\n\
         400 p0 append s0\n\
         409 p0 append s0\n\
         418 p0 append s0\n\
         427 p0 append s0\n\
         436 p0 append s0\n\
         445 p0 append s0\n\
         454 p0 append s0\n\
         463 p0 append s0\n\
         472 p0 append s0\n\
         481 p0 append s0\n\
         490 p0 append s0\n\
         499 p0 append s0\n\
         508 p0 append s0\n\
         517 p0 append s0\n\
         526 p0 append s0\n\
         535 p0 append s0\n\
         544 p0 append s0\n\
         553 p0 append s0\n\
         562 p0 append s0\n\
         571 p0 append s0\n\
         580 p0 append s0\n\
         589 p0 append s0\n\
         598 p0 append s0\n\
         607 p0 append s0\n\
         616 p0 append s0\n\
         625 p0 append s0\n\
         634 p0 append s0\n\
         643 p0 append s0\n\
         652 p0 append s0\n\
         661 p0 append s0\n\
         670 p0 append s0\n\
         679 p0 append s0\n\
         688 p0 append s0\n\
         697 p0 append s0\n\
         706 p0 append s0\n\
         715 p0 append s0\n\
         724 p0 append s0\n\
         733 p0 append s0\n\
         742 p0 append s0\n\
         751 p0 append s0\n\
         760 p0 append s0\n\
         769 p0 append s0\n\
         778 p0 append s0\n\
         787 p0 append s0\n\
         796 p0 append s0\n\
         805 p0 append s0\n\
         814 p0 append s0\n\
         823 p0 append s0\n\
         832 p0 append s0\n\
         841 p0 append s0\n\
         850 p0 append s0\n\
         859 p0 append s0\n\
         868 p0 append s0\n\
         877 p0 append s0\n\
         886 p0 append s0\n\
         895 p0 append s0",
    ),
    keeps_contract: true,
    lua: None,
};
