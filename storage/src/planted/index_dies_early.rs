//! Changes `redis_store/lua/index_here.lua`.

use super::{Planted, Shown};

pub(crate) static DEFECT: Planted = Planted {
    name: "index-dies-early",
    about: "A user's index lives for a minute, whatever the lifetime of the sessions in it.",
    source: "spring-projects/spring-session#2869; reference system C, C2",
    scenarios: &[],
    shown_by: Shown::Probe,
    keeps_contract: true,
    lua: Some((
        "if redis.call('PTTL', key) < ttl + HOUR - slack then redis.call('PEXPIRE', key, ttl + HOUR) end",
        "if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, 60000) end",
    )),
};
