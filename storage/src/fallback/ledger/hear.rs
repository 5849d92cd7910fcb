//! Keeping copies current from what Redis answers.
//!
//! Answers may be heard in another order than they were given; versions tell. An answer may also come after the session
//! has gone on in the fallback; then what Redis did is taken in, so that nothing it acknowledged is missing from what
//! the fallback answers.

use std::time::Duration;

use super::Ledger;
use super::copy::Copy;
use crate::data::SessionData;
use crate::operation::{Answer, Operation};
use crate::slab::Slab;
use crate::store::{SessionId, Version};

impl<D: SessionData> Ledger<D> {
    /// Takes note of an operation that Redis has carried out.
    pub(in crate::fallback) fn hear(&self, id: &SessionId, operation: Operation<D>, answer: &Answer<D>, ttl: Duration) {
        if self.config.authoritative {
            return;
        }
        let now = self.now();
        self.at(id, |shard| {
            if let Some(copy) = shard.get_mut(id).filter(|copy| copy.dirt.is_some()) {
                return catch_up(copy, operation, answer, now, ttl);
            }
            if !answer.found {
                return drop_living(shard, id);
            }
            match operation {
                Operation::Get => {
                    if let Some(data) = &answer.data {
                        self.hear_whole(shard, id, answer.version, || data.clone(), now, ttl);
                    }
                }
                Operation::Create(data) | Operation::Put(data) | Operation::Update(_, data) => {
                    self.hear_whole(shard, id, answer.version, || data, now, ttl);
                }
                Operation::Append(item) => {
                    if let Some(copy) = shard.get_mut(id) {
                        copy.hear_append(answer.version, item);
                        copy.written = now;
                        copy.slide(now, ttl);
                    }
                }
                Operation::Touch => {
                    if let Some(copy) = shard.get_mut(id) {
                        copy.slide(now, ttl);
                    }
                }
                Operation::Destroy => {
                    self.insert(shard, id, Copy::clean(None, answer.version, now, ttl));
                }
            }
        });
    }

    /// Takes note that Redis has no such session.
    pub(in crate::fallback) fn hear_absent(&self, id: &SessionId) {
        self.at(id, |shard| drop_living(shard, id));
    }

    fn hear_whole(
        &self,
        shard: &mut Slab<Copy<D>>,
        id: &SessionId,
        version: Version,
        data: impl FnOnce() -> D,
        now: u64,
        ttl: Duration,
    ) {
        match shard.get_mut(id) {
            // Heard late: something newer is known, or that it was destroyed after.
            Some(copy) if copy.version > version => {}
            Some(copy) if copy.version == version && copy.data.is_some() => copy.slide(now, ttl),
            Some(copy) if copy.version == version => {}
            Some(copy) => {
                let ahead = copy.ahead.split_off(&(version + 1));
                *copy = Copy::clean(Some(data()), version, now, ttl);
                for (version, item) in ahead {
                    copy.hear_append(version, item);
                }
            }
            None => {
                self.insert(shard, id, Copy::clean(Some(data()), version, now, ttl));
            }
        }
    }
}

fn drop_living<D: SessionData>(shard: &mut Slab<Copy<D>>, id: &SessionId) {
    if shard.get(id).is_some_and(|copy| copy.dirt.is_none() && copy.data.is_some()) {
        shard.remove(id);
    }
}

/// Redis has carried out an operation whose answer is heard only now, while the session has gone on here. The two
/// overlapped in time, so either order is true; the one that loses nothing is taken.
fn catch_up<D: SessionData>(copy: &mut Copy<D>, operation: Operation<D>, answer: &Answer<D>, now: u64, ttl: Duration) {
    match operation {
        Operation::Append(item) => {
            let added = copy.data.as_mut().is_some_and(|data| data.append(item));
            copy.version += u64::from(added);
            let dirt = copy.soil();
            dirt.content |= added;
            dirt.uncertain += 1;
        }
        Operation::Put(data) => {
            *copy = Copy::made(Some(data), copy.version.max(answer.version), Some(answer.version), now, ttl);
        }
        Operation::Update(_, theirs) => {
            if let Some(data) = &mut copy.data {
                data.merge(theirs);
            }
            copy.version += 1;
            let dirt = copy.soil();
            dirt.content = true;
            dirt.uncertain += 1;
        }
        Operation::Destroy if answer.found => {
            *copy = Copy::clean(None, copy.version.max(answer.version), now, ttl);
        }
        Operation::Create(_) => copy.soil().uncertain += 1,
        Operation::Destroy | Operation::Get | Operation::Touch => {}
    }
}
