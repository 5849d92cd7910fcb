//! Answering in Redis's place.

use std::time::Duration;

use super::Ledger;
use super::copy::Copy;
use crate::data::SessionData;
use crate::error::StoreError;
use crate::operation::{Answer, Operation};
use crate::slab::Slab;
use crate::store::{SessionId, Version};

/// How the ledger could answer.
pub(in crate::fallback) enum Local<D> {
    /// It answered.
    Done(Result<Answer<D>, StoreError>),
    /// It cannot know this session.
    Unknown,
    /// The session is just being written back: ask again when that is done.
    Frozen,
}

/// What it says of a session that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fallback) enum Unknowns {
    /// Nothing: others may know it.
    Left,
    /// That there is none.
    Absent,
    /// That there is none; and where it is destroyed all the same, Redis is told.
    AbsentHere,
}

/// How long a session that was destroyed here, or made stale by a dropped write, is remembered: as long as Redis
/// remembers a destroyed one at least.
pub(in crate::fallback) const TOMBSTONE_LIFE: Duration = Duration::from_secs(3600);

/// The version of a write that was acknowledged and dropped: no session has it.
const DROPPED: Version = 0;

impl<D: SessionData> Ledger<D> {
    /// Carries out an operation here. `uncertain`: it was sent to Redis before, with unknown outcome.
    pub(in crate::fallback) fn answer(
        &self,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        uncertain: bool,
        unknowns: Unknowns,
    ) -> Local<D> {
        let now = self.now();
        self.at(id, |shard| match shard.get_mut(id) {
            Some(copy) if copy.is_frozen() => Local::Frozen,
            Some(copy) if copy.is_known(now) => Local::Done(copy.answer(operation, ttl, now, self.sliding, uncertain)),
            _ => self.answer_unknown(shard, id, operation, ttl, uncertain, unknowns),
        })
    }

    /// Finds nothing, acknowledges a write and drops it, and remembers that it makes stale what Redis has. Only a
    /// create does not: where it would have done anything, Redis has nothing.
    pub(in crate::fallback) fn drop_operation(&self, id: &SessionId, operation: &Operation<D>) -> Answer<D> {
        match operation {
            Operation::Get | Operation::Touch => return Answer::absent(),
            Operation::Create(_) => return Answer::at(DROPPED),
            Operation::Put(_) | Operation::Update(..) | Operation::Append(_) | Operation::Destroy => {}
        }
        let now = self.now();
        self.at(id, |shard| match shard.get_mut(id) {
            Some(copy) => copy.void(now, TOMBSTONE_LIFE),
            None => {
                let stale = Copy::made(None, self.first_version(), None, now, TOMBSTONE_LIFE);
                self.insert(shard, id, stale);
            }
        });
        Answer::at(DROPPED)
    }

    /// Carries out an operation here if the session is dirty: Redis does not know yet what is known here.
    pub(in crate::fallback) fn answer_dirty(
        &self,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
    ) -> Local<D> {
        let now = self.now();
        self.at(id, |shard| match shard.get_mut(id).filter(|copy| copy.dirt.is_some()) {
            Some(copy) if copy.is_frozen() => Local::Frozen,
            Some(copy) => Local::Done(copy.answer(operation, ttl, now, self.sliding, false)),
            None => Local::Unknown,
        })
    }

    fn answer_unknown(
        &self,
        shard: &mut Slab<Copy<D>>,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        uncertain: bool,
        unknowns: Unknowns,
    ) -> Local<D> {
        let now = self.now();
        let (mut copy, answer) = match operation {
            // The caller says that the id is new.
            Operation::Create(data) => (Copy::made(Some(data.clone()), 1, Some(0), now, ttl), Answer::at(1)),
            Operation::Put(data) => {
                let version = self.first_version();
                (Copy::made(Some(data.clone()), version, None, now, ttl), Answer::at(version))
            }
            // Whoever logs out must be logged out, also where nobody knows whether the session exists.
            Operation::Destroy if unknowns != Unknowns::Absent => {
                let version = self.first_version();
                let answer = if unknowns == Unknowns::Left { Answer::at(version) } else { Answer::absent() };
                (Copy::made(None, version, None, now, ttl), answer)
            }
            _ if unknowns == Unknowns::Left => return Local::Unknown,
            Operation::Get | Operation::Touch | Operation::Destroy => return Local::Done(Ok(Answer::absent())),
            Operation::Update(..) | Operation::Append(_) => return Local::Done(Err(StoreError::NotFound)),
        };
        if uncertain {
            copy.doubt();
        }
        if self.insert(shard, id, copy) {
            Local::Done(Ok(answer))
        } else {
            Local::Done(Err(StoreError::Unavailable { reason: "the fallback is full".to_owned() }))
        }
    }
}
