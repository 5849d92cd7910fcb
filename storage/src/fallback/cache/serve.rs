//! Answering instead of Redis.

use std::time::Duration;

use super::copy::Copy;
use super::ids::Ids;
use super::{Cache, Sent, Shard};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::operation::{Answer, Operation};
use crate::planted;
use crate::store::{SessionId, Version};

/// How the cache answered.
pub(in crate::fallback) enum Local<D> {
    /// It answered.
    Done(Result<Answer<D>, StoreError>),
    /// It cannot know this session.
    Unknown,
    /// The session is being written back: ask again afterwards.
    Frozen,
}

/// What the cache says about a session that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fallback) enum Unknowns {
    /// Nothing: others may know it.
    Left,
    /// That it does not exist.
    Absent,
    /// That it does not exist; a destroy is sent to Redis all the same.
    AbsentHere,
}

/// How long to remember a session that was destroyed here, or made stale by a dropped write: as long as the
/// shortest-lived tombstone in Redis.
pub(in crate::fallback) const TOMBSTONE_LIFE: Duration = Duration::from_secs(3600);

/// The version of a write that was acknowledged and dropped: no session has it.
const DROPPED: Version = 0;

impl<D: SessionData> Cache<D> {
    /// Carries out an operation here. `sent`: it was sent to Redis before.
    pub(in crate::fallback) fn serve(
        &self,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        sent: Option<Sent>,
        unknowns: Unknowns,
    ) -> Local<D> {
        if let Operation::Rename(to) = operation {
            return self.serve_rename(id, to, ttl, false, sent, unknowns);
        }
        let now = self.now();
        let other = planted::seam!(shares_copies).then(|| self.dirty_ids().into_iter().next()).flatten();
        let id = other.as_ref().unwrap_or(id);
        self.at(id, |shard| match shard.get_mut(id) {
            Some(place) if place.frozen => Local::Frozen,
            Some(place) if place.copy.is_known(now) => {
                let (next, answer) = place.copy.apply(operation, ttl, now, self.sliding, sent.map(|sent| sent.line));
                place.copy = next;
                Local::Done(answer)
            }
            _ => self.serve_unknown(shard, id, operation, ttl, sent, unknowns),
        })
    }

    /// Finds nothing, acknowledges writes but drops them, and remembers that they make Redis's copy stale. A create
    /// does not: if it could have had an effect, Redis has nothing.
    pub(in crate::fallback) fn drop_operation(&self, id: &SessionId, operation: &Operation<D>) -> Answer<D> {
        match operation {
            Operation::Get | Operation::Peek | Operation::Touch => return Answer::absent(),
            Operation::Create(_) => return Answer::at(DROPPED),
            Operation::Put(_)
            | Operation::Update(..)
            | Operation::Append(_)
            | Operation::Rename(_)
            | Operation::Destroy => {}
        }
        if planted::seam!(silent_cache_shows_stale) {
            return Answer::at(DROPPED);
        }
        let now = self.now();
        self.at(id, |shard| {
            let mut stale = match shard.get(id) {
                Some(place) => place.copy.invalidated(now, TOMBSTONE_LIFE),
                None => Copy::doomed(self.first_version(), now, TOMBSTONE_LIFE),
            };
            if let Operation::Rename(to) = operation {
                stale.ids = Ids::Now(to.clone());
            }
            self.insert(shard, id, stale);
        });
        Answer::at(DROPPED)
    }

    /// Carries out an operation here if the session is dirty, because Redis lacks what is known here.
    pub(in crate::fallback) fn serve_dirty(&self, id: &SessionId, operation: &Operation<D>, ttl: Duration) -> Local<D> {
        if let Operation::Rename(to) = operation {
            return self.serve_rename(id, to, ttl, true, None, Unknowns::Left);
        }
        let now = self.now();
        self.at(id, |shard| match shard.get_mut(id).filter(|place| place.copy.is_dirty()) {
            Some(place) if place.frozen => Local::Frozen,
            Some(place) => {
                let (next, answer) = place.copy.apply(operation, ttl, now, self.sliding, None);
                place.copy = next;
                Local::Done(answer)
            }
            None => Local::Unknown,
        })
    }

    /// Whether Redis acknowledged an append to this session, of which there is no copy.
    pub(super) fn was_appended_to(&self, id: &SessionId) -> bool {
        self.forgotten.was_appended_to(id)
    }

    fn serve_unknown(
        &self,
        shard: &mut Shard<D>,
        id: &SessionId,
        operation: &Operation<D>,
        ttl: Duration,
        sent: Option<Sent>,
        unknowns: Unknowns,
    ) -> Local<D> {
        let now = self.now();
        let overtaken = |sent: Sent| self.forgotten.since(id, 1, sent.asked.forgotten);
        if matches!(operation, Operation::Create(_) | Operation::Put(_)) && sent.is_some_and(overtaken) {
            // Redis has acknowledged a write to this session since, of which there is no copy: a copy made of this
            // write would lack it.
            return Local::Unknown;
        }
        // "Not found" would be untrue of a session that is only too little known.
        let unknowns = match unknowns {
            Unknowns::AbsentHere if self.was_appended_to(id) => Unknowns::Left,
            unknowns => unknowns,
        };
        let (copy, answer) = match operation {
            // The caller says that the id is new.
            Operation::Create(data) => (Copy::made(data.clone(), 1, now, ttl), Answer::at(1)),
            Operation::Put(data) => {
                let version = self.first_version();
                (Copy::made(data.clone(), version, now, ttl), Answer::at(version))
            }
            // A user who logs out must be logged out, even if nobody knows whether the session exists.
            Operation::Destroy if unknowns != Unknowns::Absent => {
                let version = self.first_version();
                let answer = if unknowns == Unknowns::Left { Answer::at(version) } else { Answer::absent() };
                (Copy::doomed(version, now, ttl), answer)
            }
            _ if unknowns == Unknowns::Left => return Local::Unknown,
            Operation::Get | Operation::Peek | Operation::Touch | Operation::Destroy => {
                return Local::Done(Ok(Answer::absent()));
            }
            Operation::Update(..) | Operation::Append(_) | Operation::Rename(_) => {
                return Local::Done(Err(StoreError::NotFound));
            }
        };
        let copy = match sent {
            Some(Sent { line, .. }) => copy.doubted(line),
            None => copy,
        };
        if self.insert(shard, id, copy) {
            Local::Done(Ok(answer))
        } else {
            Local::Done(Err(StoreError::Unavailable { reason: "the fallback is full".to_owned() }))
        }
    }
}
