//! `clock.jump`: time jumps forward for Redis and for the store at once, so that a lifetime of a day can be drilled in
//! seconds. Redis cannot be given another clock, so the fault moves what depends on it: every key of the drill loses
//! that much of its TTL, expired keys are deleted, and the store's own clock moves ahead by the same amount. Sorted
//! sets keep their scores, which are write times. A note ([`Note::ClockJumped`]) lets the checkers count lifetimes by
//! the clock that jumped. The fault ends immediately: time does not run backwards.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use serde::{Deserialize, Serialize};

use super::super::context::{FaultContext, Site};
use super::super::kind::{Docs, Flaw, Hits, Kind};
use super::super::path::count;
use super::super::{Fault, FaultError, Impact};
use super::bounds::{IDLE_READS, a_jump};
use crate::clock::Nanos;
use crate::history::Note;
use crate::lab::{Admin, KeyPrefix};
use crate::units::Span;

/// Keys per script, few enough not to block the server for long.
const BATCH: usize = 200;

/// Scripts sent at once: in a cluster, each has only a few keys.
const AT_ONCE: usize = 50;

/// Subtracts the jump (milliseconds) from the lifetimes of the keys from the second on; keys that never expire stay.
/// The result is kept under the first key for a minute, so that a script resent after a lost answer does not age keys
/// twice.
const AGE: &str = "local done = redis.call('GET', KEYS[1])
if done then return done end
local by, aged, over = tonumber(ARGV[1]), 0, 0
for i = 2, #KEYS do
  local life = redis.call('PTTL', KEYS[i])
  if life > by then
    redis.call('PEXPIRE', KEYS[i], life - by)
    aged = aged + 1
  elseif life >= 0 then
    redis.call('UNLINK', KEYS[i])
    over = over + 1
  end
end
done = aged .. ' ' .. over
redis.call('SET', KEYS[1], done, 'PX', 60000)
return done";

/// Parameters of `clock.jump`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Jump {
    /// How far: 1 s to 10 years.
    #[schemars(example = "1h")]
    pub by: Span,
}

impl Kind for Jump {
    const NAME: &'static str = "clock.jump";
    const HITS: Hits = Hits::Clock;
    const DOCS: Docs = Docs {
        about: "time jumps forward, for Redis and the store at the same instant, and stays there",
        seen_in: "a day without traffic, a laptop or a virtual machine that was suspended",
        injected_by: "a script shortens the TTL of every key of the drill by the jump and deletes expired keys; the store's injected clock is advanced",
        evidence: "it aged or expired keys of the drill; for a store in memory (`memory`): the store read its clock afterwards, more often than its cleanup alone would",
        undone_by: "nothing: time does not run backwards",
    };

    fn check(&self) -> Result<(), Flaw> {
        a_jump(self.by)
    }

    fn build(&self, site: &Site) -> Result<Arc<dyn Fault>, FaultError> {
        Ok(Arc::new(JumpFault::new(*self, site.context.clone())))
    }
}

pub(in crate::fault) struct JumpFault {
    spec: Jump,
    context: FaultContext,
    hit: Mutex<Hit>,
}

/// The keys affected by the jump.
#[derive(Debug, Clone, Copy, Default)]
struct Hit {
    aged: u64,
    over: u64,
    /// How often the store's clock had been read by then.
    reads: u64,
}

impl JumpFault {
    pub fn new(spec: Jump, context: FaultContext) -> Self {
        Self { spec, context, hit: Mutex::default() }
    }

    /// Ages the `batches` of one server.
    async fn age(&self, admin: &Admin, batches: &[Vec<Vec<u8>>]) -> Result<(), FaultError> {
        for some in batches.chunks(AT_ONCE) {
            let mut scripts = redis::pipe();
            for keys in some {
                let once = once(self.context.lab.prefix(), keys);
                scripts.cmd("EVAL").arg(AGE).arg(keys.len() + 1).arg(once).arg(keys);
                scripts.arg(self.spec.by.0.as_millis() as u64);
            }
            for done in admin.pipeline::<Vec<String>>(&scripts).await? {
                let mut numbers = done.split(' ').map(|number| number.parse().unwrap_or(0));
                let mut hit = self.hit.lock();
                hit.aged += numbers.next().unwrap_or(0);
                hit.over += numbers.next().unwrap_or(0);
            }
        }
        Ok(())
    }
}

/// A new key that a cluster stores in the same slot as `keys`, which share one slot.
fn once(prefix: &KeyPrefix, keys: &[Vec<u8>]) -> Vec<u8> {
    let mut name = format!("{prefix}fault:aged:{:016x}:{{", rand::random::<u64>()).into_bytes();
    name.extend_from_slice(keys.first().map(|key| tag(key)).unwrap_or_default());
    name.push(b'}');
    name
}

/// The part of a key's name that decides its slot: the text between the first brace and its end, or else the whole
/// name.
fn tag(key: &[u8]) -> &[u8] {
    let inner = key.iter().position(|byte| *byte == b'{').map(|open| &key[open + 1..]);
    let tag = inner.and_then(|rest| Some(&rest[..rest.iter().position(|byte| *byte == b'}')?]));
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

#[async_trait::async_trait]
impl Fault for JumpFault {
    fn kind(&self) -> &'static str {
        Jump::NAME
    }

    fn detail(&self) -> String {
        format!("by {}", self.spec.by)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        let servers = self.context.lab.key_batches(BATCH).await?;
        self.context.clock.advance(self.spec.by.0);
        *self.hit.lock() = Hit { reads: self.context.clock.reads(), ..Hit::default() };
        for (admin, batches) in servers {
            self.age(admin, &batches).await?;
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        Ok(())
    }

    async fn impact(&self, _within: Duration) -> Impact {
        let Hit { aged, over, reads } = *self.hit.lock();
        if self.context.in_memory {
            // Redis holds none of the sessions, and nothing went through the proxy.
            let asked = self.context.clock.reads().saturating_sub(reads);
            let evidence = format!("the store, in memory, asked its clock {} after it", count(asked, "time"));
            return Impact { bit: asked > IDLE_READS, evidence };
        }
        let evidence = format!("{} aged by {}, {over} more at their end by it", count(aged, "key"), self.spec.by);
        self.context.path.impact(aged + over > 0, evidence)
    }

    fn note(&self, began: Nanos, held: Option<Nanos>) -> Option<Note> {
        // A jump aborted half-way may still reach the remaining keys.
        Some(Note::ClockJumped { at: began, until: held.unwrap_or(Nanos::MAX), by_ns: self.spec.by.nanos() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_decided_by_what_the_braces_hold_or_by_the_whole_name() {
        for (key, decides) in
            [("p:session:{7}", "7"), ("p:{7}:gone:{8}", "7"), ("p:7", "p:7"), ("p:{}7", "p:{}7"), ("p:{7", "p:{7")]
        {
            assert_eq!(tag(key.as_bytes()), decides.as_bytes(), "{key}");
        }
    }
}
