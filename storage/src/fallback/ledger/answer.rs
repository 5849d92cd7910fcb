//! Answering in Redis's place.

use std::time::Duration;

use super::Ledger;
use super::copy::Copy;
use crate::data::SessionData;
use crate::error::StoreError;
use crate::operation::{Answer, Operation};
use crate::slab::Slab;
use crate::store::SessionId;

/// How the ledger could answer.
pub(in crate::fallback) enum Local<D> {
    /// It answered.
    Done(Result<Answer<D>, StoreError>),
    /// It cannot know this session.
    Unknown,
    /// The session is just being written back: ask again when that is done.
    Frozen,
}

impl<D: SessionData> Ledger<D> {
    /// Carries out an operation here. `uncertain`: it was sent to Redis before, with unknown outcome.
    pub(in crate::fallback) fn answer(
        &self,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        uncertain: bool,
    ) -> Local<D> {
        let now = self.now();
        self.at(id, |shard| match shard.get_mut(id) {
            Some(copy) if copy.is_frozen() => Local::Frozen,
            Some(copy) if copy.is_known(now) => {
                Local::Done(copy.answer(operation, ttl, now, self.config.sliding, uncertain))
            }
            _ => self.answer_unknown(shard, id, operation, ttl, uncertain),
        })
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
            Some(copy) => Local::Done(copy.answer(operation, ttl, now, self.config.sliding, false)),
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
    ) -> Local<D> {
        let (now, authoritative) = (self.now(), self.config.authoritative);
        let (mut copy, answer) = match operation {
            // The caller says that the id is new.
            Operation::Create(data) => (Copy::made(Some(data.clone()), 1, Some(0), now, ttl), Answer::at(1)),
            Operation::Put(data) => {
                let version = self.first_version();
                (Copy::made(Some(data.clone()), version, None, now, ttl), Answer::at(version))
            }
            // Whoever logs out must be logged out, also where nobody knows whether the session exists.
            Operation::Destroy if !authoritative => {
                let version = self.first_version();
                (Copy::made(None, version, None, now, ttl), Answer::at(version))
            }
            _ if !authoritative => return Local::Unknown,
            Operation::Get | Operation::Touch | Operation::Destroy => return Local::Done(Ok(Answer::absent())),
            Operation::Update(..) | Operation::Append(_) => return Local::Done(Err(StoreError::NotFound)),
        };
        if let Some(dirt) = copy.dirt.as_mut().filter(|_| uncertain) {
            dirt.uncertain = 1;
        }
        if self.insert(shard, id, copy) {
            Local::Done(Ok(answer))
        } else {
            Local::Done(Err(StoreError::Unavailable { reason: "the fallback is full".to_owned() }))
        }
    }
}
