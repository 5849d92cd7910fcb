//! `clock.jump`: time jumps forward, for Redis and for the store at once, so that a lifetime of a day is drilled in
//! seconds. No process can be given another clock here, so what depends on it is moved: every key of the drill has so
//! much less time to live, and what would have run out is deleted; and the store's own clock is ahead by as much. Sorted
//! sets keep their scores, which are times of writing. The checkers are told ([`Note::ClockJumped`]) and count lifetimes
//! by the clock that jumped. It is over at once: time that has passed does not come back.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::context::FaultContext;
use super::super::path::count;
use super::super::{Bite, Fault, FaultError};
use crate::clock::Nanos;
use crate::history::Note;
use crate::scenario::units::Span;

/// Keys per script, so that none holds up the server for long.
const BATCH: usize = 200;

/// Takes the jump (milliseconds) off the lifetimes of the keys from the second on; those that never expire stay. What it did
/// is kept under the first key for a minute: a script that is sent again because its answer was lost does not age twice.
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jump {
    /// How far.
    pub by: Span,
}

pub(in crate::fault) struct JumpFault {
    spec: Jump,
    context: FaultContext,
    hit: Mutex<Hit>,
}

/// Keys that the jump met.
#[derive(Debug, Clone, Copy, Default)]
struct Hit {
    aged: u64,
    over: u64,
}

impl JumpFault {
    pub fn new(spec: Jump, context: FaultContext) -> Self {
        Self { spec, context, hit: Mutex::default() }
    }

    async fn age(&self, keys: &[Vec<u8>]) -> Result<Hit, FaultError> {
        let once = format!("{}fault:aged:{:016x}", self.context.lab.prefix(), rand::random::<u64>());
        let mut script = redis::cmd("EVAL");
        script.arg(AGE).arg(keys.len() + 1).arg(once).arg(keys).arg(self.spec.by.0.as_millis() as u64);
        let done: String = self.context.lab.admin().query(&script).await?;
        let mut numbers = done.split(' ').map(|number| number.parse().unwrap_or(0));
        Ok(Hit { aged: numbers.next().unwrap_or(0), over: numbers.next().unwrap_or(0) })
    }
}

#[async_trait::async_trait]
impl Fault for JumpFault {
    fn kind(&self) -> &'static str {
        "clock.jump"
    }

    fn detail(&self) -> String {
        format!("by {}", self.spec.by)
    }

    async fn inject(&self) -> Result<(), FaultError> {
        *self.hit.lock() = Hit::default();
        let keys = self.context.lab.keys().await?;
        self.context.clock.advance(self.spec.by.0);
        for batch in keys.chunks(BATCH) {
            let Hit { aged, over } = self.age(batch).await?;
            let mut hit = self.hit.lock();
            (hit.aged, hit.over) = (hit.aged + aged, hit.over + over);
        }
        Ok(())
    }

    async fn heal(&self) -> Result<(), FaultError> {
        Ok(())
    }

    async fn proof(&self, _within: Duration) -> Bite {
        let Hit { aged, over } = *self.hit.lock();
        let evidence = format!("{} aged by {}, {over} more at their end by it", count(aged, "key"), self.spec.by);
        self.context.path.bite(aged + over > 0, evidence)
    }

    fn note(&self, began: Nanos, held: Option<Nanos>) -> Option<Note> {
        // A jump that broke off half-way may still come to whatever it has not come to yet.
        Some(Note::ClockJumped { at: began, until: held.unwrap_or(Nanos::MAX), by_ns: self.spec.by.nanos() })
    }
}
