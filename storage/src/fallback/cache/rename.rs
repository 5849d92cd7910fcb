//! Sessions that get another id. The copies under both ids change together, under both locks, so that nobody finds the
//! content twice or not at all.

use std::time::Duration;

use parking_lot::MutexGuard;

use super::copy::{Base, Copy, after};
use super::ids::Ids;
use super::observe::Observed;
use super::serve::{Local, TOMBSTONE_LIFE, Unknowns};
use super::{Asked, Cache, Place, Sent, Shard, is_dirty};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::lineage::Lineage;
use crate::operation::{Answer, Operation};
use crate::store::SessionId;

/// The locked shards of two sessions, which may be one.
struct Pair<'a, D: SessionData> {
    low: MutexGuard<'a, Shard<D>>,
    high: Option<MutexGuard<'a, Shard<D>>>,
    /// Whether each session is in the higher one.
    is_high: [bool; 2],
}

impl<D: SessionData> Pair<'_, D> {
    fn shard(&mut self, which: usize) -> &mut Shard<D> {
        match &mut self.high {
            Some(high) if self.is_high[which] => high,
            _ => &mut self.low,
        }
    }
}

/// How many renames of one session to follow.
const MOST_RENAMES: usize = 64;

const OLD: usize = 0;
const NEW: usize = 1;

impl<D: SessionData> Cache<D> {
    /// Works on the copies of two different sessions under the locks of both, and updates the counters.
    fn at_both<T>(&self, ids: [&SessionId; 2], work: impl FnOnce(&mut Pair<'_, D>) -> T) -> T {
        let [old, new] = ids.map(|id| self.shard(id));
        // In one order, so that two renames never wait for each other.
        let low = self.shards[old.min(new)].lock();
        let high = (old != new).then(|| self.shards[old.max(new)].lock());
        let mut pair = Pair { low, high, is_high: [old > new, new > old] };
        let before = [OLD, NEW].map(|which| is_dirty(pair.shard(which), ids[which]));
        let result = work(&mut pair);
        for which in [OLD, NEW] {
            self.recount(before[which], is_dirty(pair.shard(which), ids[which]));
        }
        result
    }

    /// Gives a session another id here. `dirty`: only if Redis lacks something of one of the two. `sent`, `unknowns`: as for
    /// [`Cache::serve`].
    pub(super) fn serve_rename(
        &self,
        from: &SessionId,
        to: &SessionId,
        ttl: Duration,
        dirty: bool,
        sent: Option<Sent>,
        unknowns: Unknowns,
    ) -> Local<D> {
        let now = self.now();
        let (local, heir) = self.at_both([from, to], |pair| {
            let taken = pair.shard(NEW).get(to).map(|place| (place.frozen, place.copy.is_dirty()));
            let known = pair.shard(OLD).get(from).filter(|place| place.copy.is_known(now));
            let known = known.filter(|place| !dirty || place.copy.is_dirty());
            if known.is_some_and(|place| place.frozen) || taken.is_some_and(|(frozen, _)| frozen) {
                return (Local::Frozen, None);
            }
            let Some(copy) = known.map(|place| place.copy.clone()) else {
                let local = match taken {
                    Some((_, true)) if dirty => Local::Done(Err(StoreError::AlreadyExists)),
                    _ if dirty => Local::Unknown,
                    _ => self.unknown_renamed(from, unknowns),
                };
                return (local, None);
            };
            if !copy.is_live(now) {
                // Redis may have renamed it all the same, and then the new session has to end as well, or go where the
                // old one went.
                let heir = copy.ids.now().filter(|heir| *heir != to).cloned();
                if let Some(Sent { line, .. }) = sent.filter(|_| taken.is_none() && copy.is_dirty()) {
                    let mut ended = Copy::doomed(copy.version() + 1, now, ttl).doubted(line);
                    ended.ids = heir.clone().map_or(Ids::One, Ids::Now);
                    self.insert(pair.shard(NEW), to, ended);
                }
                return (Local::Done(Err(StoreError::NotFound)), heir.filter(|_| sent.is_some()));
            }
            if taken.is_some() {
                return (Local::Done(Err(StoreError::AlreadyExists)), None);
            }
            let (left, answer) =
                copy.apply(&Operation::Rename(to.clone()), ttl, now, self.sliding, sent.map(|sent| sent.line));
            let Some(next) = copy.continued(from, to, ttl, now, sent.map(|sent| sent.line)) else {
                return (Local::Unknown, None);
            };
            // It is dirty from here on, so that it does not make room for itself.
            pair.shard(OLD).insert(from.clone(), Place { copy: left, frozen: false });
            if self.insert(pair.shard(NEW), to, next) {
                return (Local::Done(answer), None);
            }
            pair.shard(OLD).insert(from.clone(), Place { copy, frozen: false });
            (Local::Done(Err(StoreError::Unavailable { reason: "the fallback is full".to_owned() })), None)
        });
        if let Some(heir) = heir {
            self.also_at(&heir, to);
        }
        local
    }

    fn unknown_renamed(&self, from: &SessionId, unknowns: Unknowns) -> Local<D> {
        match unknowns {
            Unknowns::Left => Local::Unknown,
            // It is only too little known.
            Unknowns::AbsentHere if self.was_appended_to(from) => Local::Unknown,
            Unknowns::AbsentHere | Unknowns::Absent => Local::Done(Err(StoreError::NotFound)),
        }
    }

    /// Redis may have the session that is `heir` by now under this id, too.
    fn also_at(&self, heir: &SessionId, id: &SessionId) {
        let latest = self.latest(heir);
        let heir = latest.as_ref().unwrap_or(heir);
        self.at(heir, |shard| {
            if let Some(place) = shard.get_mut(heir).filter(|place| place.copy.data().is_some()) {
                place.copy = place.copy.clone().arrived(id);
            }
        });
    }

    /// Records that Redis has carried out a rename as the write `line`. See [`Cache::observe`].
    pub(super) fn observe_rename(
        &self,
        from: &SessionId,
        to: &SessionId,
        answer: &Answer<D>,
        ttl: Duration,
        line: Lineage,
        asked: Asked,
    ) -> Observed {
        let (observed, heir) = self.at_both([from, to], |pair| {
            let at = self.moment(asked);
            let mut observed = Observed { doubtful: at.doubtful, ..Observed::default() };
            let known = pair.shard(OLD).get(from).map(|place| place.copy.clone());
            let was = known.as_ref().and_then(Copy::base);
            // What Redis has left under the old id.
            let left = |version| {
                let mut gone = Copy::tombstone(version, was, answer.lineage, at, after(at.now, ttl));
                gone.ids = Ids::Now(to.clone());
                if at.doubtful { gone.suspected() } else { gone }
            };
            let known = known.filter(|copy| copy.is_dirty() && copy.pending().is_some());
            match known {
                Some(copy) if copy.ids.now().is_some() => {
                    // It was renamed here as well, and only one of the new ids can stand.
                    let heir = copy.ids.now().filter(|heir| *heir != to).cloned();
                    if let Some(heir) = &heir {
                        let mut gone = Copy::doomed(copy.version().max(answer.version) + 1, at.now, ttl);
                        gone.ids = Ids::Now(heir.clone());
                        self.insert(pair.shard(NEW), to, gone);
                        observed.overtaken = true;
                    }
                    return (observed, heir);
                }
                Some(copy) if copy.data().is_none() && copy.is_written() => {
                    // It was destroyed here meanwhile.
                    let ended = Copy::doomed(copy.version().max(answer.version) + 1, at.now, ttl);
                    self.insert(pair.shard(NEW), to, ended);
                    return (observed, None);
                }
                Some(copy) if pair.shard(NEW).get(to).is_none() => {
                    if let Some((next, report)) = copy.caught_up_as(from, to, answer, ttl, at) {
                        observed.lost = report.united + report.lost;
                        observed.version = Some(next.version());
                        let next = if at.doubtful && !next.is_dirty() { next.suspected() } else { next };
                        let version = copy.version().max(answer.version);
                        pair.shard(OLD).insert(from.clone(), Place { copy: left(version), frozen: false });
                        self.insert(pair.shard(NEW), to, next);
                        return (observed, None);
                    }
                }
                _ => {}
            }
            // A delayed reply: if something newer is known, the session went on without the rename.
            let stands = pair.shard(OLD).get(from).is_none_or(|place| place.copy.version() <= answer.version);
            if stands {
                self.insert(pair.shard(OLD), from, left(answer.version));
            }
            let Some(data) = answer.data.clone() else { return (observed, None) };
            if let Some(place) = pair.shard(NEW).get_mut(to).filter(|place| place.copy.is_dirty()) {
                let (next, report) = place.copy.caught_up(Operation::Create(data), answer, line, ttl, at);
                place.copy = next.arrived(from);
                observed.lost = report.lost;
                observed.version = Some(place.copy.version());
                return (observed, None);
            }
            let base = Base { version: answer.version, lineage: answer.lineage, heard: at.now, boot: at.boot };
            let copy = Copy::clean(data, base, at.now, after(asked.at, ttl)).arrived(from);
            let copy = if at.doubtful || !stands { copy.suspected() } else { copy };
            observed.doubtful |= !stands;
            self.observe_whole(pair.shard(NEW), to, copy, true, at, asked);
            (observed, None)
        });
        if let Some(heir) = heir {
            self.also_at(&heir, to);
        }
        observed
    }

    /// Redis has carried out a destroy of this id, after which the session had got another one here: it ends under that
    /// one, too.
    pub(super) fn end_latest(&self, id: &SessionId) {
        let Some(heir) = self.latest(id) else { return };
        let now = self.now();
        self.at(&heir, |shard| {
            let carries = carries(shard, &heir, id);
            if let Some(place) = shard.get_mut(&heir).filter(|_| carries) {
                place.copy = place.copy.apply(&Operation::Destroy, TOMBSTONE_LIFE, now, self.sliding, None).0;
            }
        });
    }

    /// The id that the session has by now, if this one was given up.
    fn latest(&self, id: &SessionId) -> Option<SessionId> {
        let next = |id: &SessionId| self.at(id, |shard| given_up(shard, id));
        let mut latest = next(id)?;
        for _ in 0..MOST_RENAMES {
            let Some(later) = next(&latest) else { break };
            latest = later;
        }
        Some(latest)
    }

    /// Whether this id was given up and the session under its new id is still to be written back: that takes it away
    /// from this one.
    pub(super) fn goes_along(&self, id: &SessionId) -> bool {
        self.latest(id).is_some_and(|to| self.at(&to, |shard| carries(shard, &to, id)))
    }

    /// Works on a session to write back, unless it goes along with the one under its new id.
    pub(super) fn at_own<T>(&self, id: &SessionId, work: impl FnOnce(&mut Shard<D>) -> Option<T>) -> Option<T> {
        match self.latest(id) {
            Some(to) => self.at_both([id, &to], |pair| {
                let goes = carries(pair.shard(NEW), &to, id) || given_up(pair.shard(NEW), &to).is_some();
                if goes { None } else { work(pair.shard(OLD)) }
            }),
            // Perhaps it was given up just now.
            None => self.at(id, |shard| if given_up(shard, id).is_some() { None } else { work(shard) }),
        }
    }

    /// Another process has given a session this id, on a Redis process that may have lost some of it before. What is known
    /// here goes on under that id, where it is compared with what Redis has. `false`: nothing can have been lost like that.
    pub(super) fn pursue(&self, id: &SessionId, to: &SessionId, asked: Asked) -> bool {
        self.at_both([id, to], |pair| {
            let at = self.moment(asked);
            let Some(copy) = pair.shard(OLD).get(id).map(|place| place.copy.clone()) else { return false };
            let lossy = copy.base().is_some_and(|base| base.boot < at.boot);
            if copy.is_written() || !lossy || pair.shard(NEW).get(to).is_some() {
                return false;
            }
            let left = Duration::from_nanos(copy.expires.saturating_sub(at.now));
            let Some(next) = copy.continued(id, to, left, at.now, None) else { return false };
            let mut gone = Copy::tombstone(copy.version(), copy.base(), Lineage::default(), at, copy.expires);
            gone.ids = Ids::Now(to.clone());
            pair.shard(OLD).insert(id.clone(), Place { copy: gone, frozen: false });
            self.insert(pair.shard(NEW), to, next)
        })
    }

    /// Redis has taken a session from these ids, or others have ended it there: nothing is left to tell it of them.
    pub(super) fn settle(&self, others: &[SessionId], to: &SessionId) {
        for id in others {
            self.at(id, |shard| {
                if let Some(place) = shard.get_mut(id).filter(|place| place.copy.data().is_none()) {
                    place.copy = place.copy.told();
                    place.copy.ids = Ids::Now(to.clone());
                }
            });
        }
    }
}

/// The id that a session was given next.
fn given_up<D: SessionData>(shard: &Shard<D>, id: &SessionId) -> Option<SessionId> {
    shard.get(id).and_then(|place| place.copy.ids.now().cloned())
}

/// Whether the write-back of `to` takes the session from `id`.
fn carries<D: SessionData>(shard: &Shard<D>, to: &SessionId, id: &SessionId) -> bool {
    shard.get(to).is_some_and(|place| {
        let copy = &place.copy;
        copy.is_dirty() && copy.data().is_some() && copy.ids.before().contains(id)
    })
}
