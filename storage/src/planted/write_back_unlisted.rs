//! Changes `redis_store/lua/write_back.lua`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "write-back-unlisted",
    about: "The drain does not enter what it writes into the user's index: the listing lacks it.",
    source: "spring-projects/spring-session#2869 (index and sessions diverge); reference system C, C2",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: Some((
        "write(next, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6], previous)",
        "write(next, '', ARGV[5], tonumber(ARGV[3]), ARGV[6], previous)",
    )),
};
