//! What a store holds sessions to beyond their idle timeout: an age at which each ends, a pause between two extensions, a
//! number per user.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use foldhash::fast::SeedableRandomState;
use parking_lot::Mutex;

use crate::clock::{Clock, nanos};
use crate::data::SessionData;
use crate::error::StoreError;
use crate::slab::Slab;
use crate::store::{Acked, AppendStore, Health, ServedBy, Session, SessionId, SessionStore, Version};

/// The most sessions of which a process remembers what it saw. One that it has forgotten is extended, looked up or counted
/// once more than it needs.
const REMEMBERED: usize = 64 * 1024;

/// Limits of every session of a store ([`StoreBuilder::limits`](crate::StoreBuilder::limits)). The default sets none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The absolute timeout: a session ends this long after [`SessionData::made_at`], however often it is used. A lifetime
    /// (`ttl`) is the idle timeout beside it. Data that does not say when it was made is not limited.
    ///
    /// A write of data that is older finds no session ([`StoreError::NotFound`]). Ages are told by this machine's wall clock.
    /// Within a lifetime of its end, and before the process has seen the session, a [`touch`](SessionStore::touch), a
    /// [`rename`](SessionStore::rename) or an [`append`](AppendStore::append) reads it first.
    pub absolute: Option<Duration>,
    /// A read that would extend the session by less than this, as far as the process knows, does not extend it: it changes
    /// nothing in Redis, so nothing is replicated or written to the append-only file. A session lives at least its lifetime
    /// less this after its last use; half a lifetime at most counts.
    pub slide_every: Option<Duration>,
    /// The most sessions of a user, as [`SessionData::user`] names them; 0 counts as 1. A process that meets a user's session
    /// for the first time in a create or a write ends those written the longest ago. In an outage it ends those that it knows;
    /// the next write to the session then counts again. Logins at the same time may end one session too many, and never one
    /// too few.
    pub per_user: Option<usize>,
}

impl Limits {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The store itself if there are no limits.
pub(crate) fn limited<D: SessionData>(
    inner: Arc<dyn AppendStore<D>>,
    limits: Limits,
    clock: Arc<dyn Clock>,
) -> Arc<dyn AppendStore<D>> {
    if limits.is_none() {
        return inner;
    }
    let hasher = SeedableRandomState::random();
    Arc::new(Limited { inner, limits, clock, seen: Mutex::new(Slab::new(hasher.clone())), hasher })
}

struct Limited<D: SessionData> {
    inner: Arc<dyn AppendStore<D>>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    seen: Mutex<Slab<Seen>>,
    hasher: SeedableRandomState,
}

/// What the process knows of a session that it has used.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Until when it last let the session live, by the store's clock.
    until: Option<u64>,
    /// When the session was made.
    made: Option<SystemTime>,
    /// A hash of the user for whom it was last counted.
    counted: Option<u64>,
    /// When the process last used it.
    used: u64,
}

impl<D: SessionData> Limited<D> {
    fn remembered(&self, id: &SessionId) -> Seen {
        self.seen.lock().get(id).copied().unwrap_or_default()
    }

    fn remember(&self, id: &SessionId, change: impl FnOnce(&mut Seen)) {
        let now = self.clock.now();
        let mut seen = self.seen.lock();
        if seen.get(id).is_none() {
            if seen.len() >= REMEMBERED
                && let Some(oldest) = seen.least_recently_used(|seen| Some(seen.used))
            {
                seen.remove(&oldest);
            }
            seen.insert(id.clone(), Seen::default());
        }
        if let Some(seen) = seen.get_mut(id) {
            change(seen);
            seen.used = now;
        }
    }

    fn forget(&self, id: &SessionId) {
        self.seen.lock().remove(id);
    }

    /// How long a session of that age may still live, at most `ttl`. `None`: it is over.
    fn left(&self, made: Option<SystemTime>, ttl: Duration) -> Option<Duration> {
        let (Some(absolute), Some(made)) = (self.limits.absolute, made) else { return Some(ttl) };
        // A session from the future has no age yet.
        let age = made.elapsed().unwrap_or_default();
        absolute.checked_sub(age).filter(|left| !left.is_zero()).map(|left| left.min(ttl))
    }

    /// The lifetime with which this session may go on. The process may have seen another one under the same id, so what
    /// would shorten its life is looked up.
    async fn lifetime(&self, id: &SessionId, ttl: Duration) -> Result<Option<Duration>, StoreError> {
        if self.limits.absolute.is_none() {
            return Ok(Some(ttl));
        }
        let made = self.remembered(id).made;
        if made.is_some() && self.left(made, ttl) == Some(ttl) {
            return Ok(Some(ttl));
        }
        let Some(session) = self.inner.peek(id).await?.value else { return Ok(Some(ttl)) };
        let made = session.data.made_at();
        self.remember(id, |seen| seen.made = made);
        match self.left(made, ttl) {
            Some(left) => Ok(Some(left)),
            None => self.end(id).await.map(|()| None),
        }
    }

    /// Ends a session that is too old.
    async fn end(&self, id: &SessionId) -> Result<(), StoreError> {
        self.inner.destroy(id).await?;
        self.forget(id);
        Ok(())
    }

    /// The instant of the store's clock that is so far away.
    fn after(&self, ttl: Duration) -> u64 {
        self.clock.now().saturating_add(nanos(ttl))
    }

    fn extended(&self, id: &SessionId, ttl: Duration) {
        let until = self.after(ttl);
        self.remember(id, |seen| seen.until = Some(until));
    }

    /// Whether the process let the session live so long that a read need not extend it. One with a shorter lifetime still
    /// shortens it.
    fn rests(&self, id: &SessionId, ttl: Duration) -> bool {
        let Some(every) = self.limits.slide_every.map(|every| nanos(every.min(ttl / 2))) else { return false };
        let wanted = self.after(ttl);
        self.remembered(id).until.is_some_and(|until| until <= wanted && wanted - until < every)
    }

    /// The lifetime that a write of this data gives. [`StoreError::NotFound`] if it is too old; then its session ends, but not
    /// another that has the id by now.
    async fn for_write(&self, id: &SessionId, data: &D, ttl: Duration) -> Result<Duration, StoreError> {
        match self.left(data.made_at(), ttl) {
            Some(ttl) => Ok(ttl),
            None => self.lifetime(id, ttl).await.and(Err(StoreError::NotFound)),
        }
    }

    /// Remembers what was written, and ends what its user has too many of.
    async fn written(&self, id: &SessionId, ttl: Duration, made: Option<SystemTime>, user: Option<String>) {
        let until = self.after(ttl);
        self.remember(id, |seen| (seen.until, seen.made) = (Some(until), made));
        let (Some(most), Some(user)) = (self.limits.per_user, user) else { return };
        let hash = self.hasher.hash_one(&user);
        if self.remembered(id).counted == Some(hash) {
            return;
        }
        let Ok(listed) = self.inner.list_by_user(&user, usize::MAX).await else { return };
        let others = listed.value.iter().filter(|other| *other != id).skip(most.max(1) - 1);
        // What a fallback lists is not all that there may be.
        let mut all_ended = listed.served_by == ServedBy::Primary;
        for other in others {
            all_ended &= self.inner.destroy(other).await.is_ok();
            self.forget(other);
        }
        if all_ended {
            self.remember(id, |seen| seen.counted = Some(hash));
        }
    }

    /// The user of data, if sessions are counted.
    fn user(&self, data: &D) -> Option<String> {
        self.limits.per_user.and_then(|_| data.user().map(|user| user.into_owned()))
    }
}

#[async_trait]
impl<D: SessionData> SessionStore<D> for Limited<D> {
    async fn create(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        // Nothing is destroyed here: the id may be another session's.
        let ttl = self.left(data.made_at(), ttl).ok_or(StoreError::NotFound)?;
        let (made, user) = (data.made_at(), self.user(&data));
        let created = self.inner.create(id, data, ttl).await?;
        self.written(id, ttl, made, user).await;
        Ok(created)
    }

    async fn get(&self, id: &SessionId, ttl: Duration) -> Result<Acked<Option<Session<D>>>, StoreError> {
        let rests = self.rests(id, ttl);
        let found = if rests { self.inner.peek(id).await? } else { self.inner.get(id, ttl).await? };
        let Some(session) = &found.value else {
            self.forget(id);
            return Ok(found);
        };
        let made = session.data.made_at();
        let Some(left) = self.left(made, ttl) else {
            self.end(id).await?;
            return Ok(Acked { value: None, ..found });
        };
        if left < ttl && !rests {
            // The read gave it more than it has. If this fails, its next use still finds it too old.
            let _ = self.inner.touch(id, left).await;
        }
        let until = (!rests).then(|| self.after(left));
        self.remember(id, |seen| (seen.until, seen.made) = (until.or(seen.until), made));
        Ok(found)
    }

    async fn peek(&self, id: &SessionId) -> Result<Acked<Option<Session<D>>>, StoreError> {
        let found = self.inner.peek(id).await?;
        let made = found.value.as_ref().and_then(|session| session.data.made_at());
        if found.value.is_some() && self.left(made, Duration::MAX).is_none() {
            self.end(id).await?;
            return Ok(Acked { value: None, ..found });
        }
        Ok(found)
    }

    async fn put(&self, id: &SessionId, data: D, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let ttl = self.for_write(id, &data, ttl).await?;
        let (made, user) = (data.made_at(), self.user(&data));
        let put = self.inner.put(id, data, ttl).await?;
        self.written(id, ttl, made, user).await;
        Ok(put)
    }

    async fn update(
        &self,
        id: &SessionId,
        expected: Version,
        data: D,
        ttl: Duration,
    ) -> Result<Acked<Version>, StoreError> {
        let ttl = self.for_write(id, &data, ttl).await?;
        let (made, user) = (data.made_at(), self.user(&data));
        let updated = self.inner.update(id, expected, data, ttl).await?;
        self.written(id, ttl, made, user).await;
        Ok(updated)
    }

    async fn touch(&self, id: &SessionId, ttl: Duration) -> Result<Acked<bool>, StoreError> {
        let Some(ttl) = self.lifetime(id, ttl).await? else { return Ok(Acked::primary(false)) };
        let touched = self.inner.touch(id, ttl).await?;
        if touched.value {
            self.extended(id, ttl);
        }
        Ok(touched)
    }

    async fn rename(&self, from: &SessionId, to: &SessionId, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let Some(ttl) = self.lifetime(from, ttl).await? else { return Err(StoreError::NotFound) };
        let renamed = self.inner.rename(from, to, ttl).await?;
        let was = self.remembered(from);
        self.forget(from);
        let until = Some(self.after(ttl));
        self.remember(to, |seen| *seen = Seen { until, ..was });
        Ok(renamed)
    }

    fn successor(&self, from: &SessionId) -> SessionId {
        self.inner.successor(from)
    }

    async fn destroy(&self, id: &SessionId) -> Result<Acked<bool>, StoreError> {
        self.forget(id);
        self.inner.destroy(id).await
    }

    async fn destroy_by_user(&self, user: &str, except: Option<&SessionId>) -> Result<Acked<u64>, StoreError> {
        self.inner.destroy_by_user(user, except).await
    }

    async fn count(&self) -> Result<Acked<u64>, StoreError> {
        self.inner.count().await
    }

    async fn list_by_user(&self, user: &str, limit: usize) -> Result<Acked<Vec<SessionId>>, StoreError> {
        self.inner.list_by_user(user, limit).await
    }

    async fn cleanup(&self) -> Result<u64, StoreError> {
        self.inner.cleanup().await
    }

    async fn health(&self) -> Health {
        self.inner.health().await
    }
}

#[async_trait]
impl<D: SessionData> AppendStore<D> for Limited<D> {
    async fn append(&self, id: &SessionId, item: D::Item, ttl: Duration) -> Result<Acked<Version>, StoreError> {
        let Some(ttl) = self.lifetime(id, ttl).await? else { return Err(StoreError::NotFound) };
        let appended = self.inner.append(id, item, ttl).await?;
        self.extended(id, ttl);
        Ok(appended)
    }
}
