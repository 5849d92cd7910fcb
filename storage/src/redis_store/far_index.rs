//! A user's index in a cluster, where it is in another slot than its sessions.
//!
//! A write is acknowledged once the session is written; a second call within the same deadline then enters it into the
//! index. If that fails, the session is not listed until it is used again. The index is never trusted: a listing asks
//! each session's own node whether the session is alive and belongs to the user, and drops the entry if not. A write
//! drops old entries that have lost their session, two at a time. The index expires half an hour to an hour after the
//! last of its sessions could have.

use std::time::Duration;

use redis::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::calls::unexpected;
use super::index::Upkeep;
use super::request::Request;
use super::script;
use super::script::Script;
use super::store::RedisStore;
use crate::clock::millis;
use crate::data::SessionData;
use crate::error::StoreError;
use crate::store::SessionId;

/// Entries checked per step of a listing.
const PAGE: usize = 50;

/// An entry: the session's id and its score as Redis writes it.
type Entry = (String, String);

impl<D: SessionData> RedisStore<D> {
    /// Extracts the answer from a script's reply in a cluster, and does in the index what the script could not.
    pub(super) async fn follow_up(
        &self,
        said: Value,
        id: &SessionId,
        ttl: Duration,
        deadline: Instant,
    ) -> Result<Value, StoreError> {
        let Value::Array(parts) = said else { return Err(unexpected()) };
        let Ok([answer, enter, keep, leave, left]) = <[Value; 5]>::try_from(parts) else { return Err(unexpected()) };
        let user = |value: Value| redis::from_redis_value::<String>(value).ok().filter(|user| !user.is_empty());
        let left = user(left).unwrap_or_default();
        let entered = match (user(enter), user(keep)) {
            (Some(user), _) => self.enter(&self.index_ages.upkeep(user, ttl), id, deadline).await,
            (None, Some(user)) => self.keep_far(&self.index_ages.upkeep(user, ttl), id, deadline).await,
            (None, None) => Ok(()),
        };
        let left = match user(leave) {
            Some(user) => self.leave(&user, &left, "", deadline).await,
            None => Ok(()),
        };
        if let Err(error) = entered.and(left) {
            tracing::debug!(session = %id, %error, "the session is written, and its user's index is not");
        }
        Ok(answer)
    }

    async fn enter(&self, upkeep: &Upkeep, id: &SessionId, deadline: Instant) -> Result<(), StoreError> {
        let user = upkeep.user();
        let mut request = self.on_index(&script::FAR_ENTER, user);
        request.arg(id.as_str()).arg(millis(upkeep.ttl()));
        let old = entries(self.send(&request, deadline).await?)?;
        self.index_ages.kept(upkeep);
        for (entry, lives) in self.owned(user, old, deadline).await? {
            if !lives {
                self.leave(user, &entry.0, &entry.1, deadline).await?;
            }
        }
        Ok(())
    }

    /// Extends the index's life along with a session that is only read, if that is due.
    pub(super) async fn keep_far(&self, upkeep: &Upkeep, id: &SessionId, deadline: Instant) -> Result<(), StoreError> {
        if !upkeep.is_due() {
            return Ok(());
        }
        let mut request = self.on_index(&script::FAR_KEEP, upkeep.user());
        request.arg(id.as_str()).arg(millis(upkeep.ttl()));
        self.send(&request, deadline).await?;
        self.index_ages.kept(upkeep);
        Ok(())
    }

    async fn leave(&self, user: &str, id: &str, score: &str, deadline: Instant) -> Result<(), StoreError> {
        let mut request = self.on_index(&script::FAR_LEAVE, user);
        request.arg(id).arg(score);
        self.send(&request, deadline).await.map(|_| ())
    }

    /// A user's live sessions, each with the time of its last write, newest first. Fails if the node of any of them
    /// cannot be asked.
    pub(super) async fn list_far(
        &self,
        user: &str,
        limit: usize,
        deadline: Instant,
    ) -> Result<Vec<(String, f64)>, StoreError> {
        let mut found = Vec::new();
        let mut at = 0;
        while found.len() < limit {
            let mut request = self.on_index(&script::FAR_PAGE, user);
            request.arg(at).arg(PAGE);
            let page = entries(self.send(&request, deadline).await?)?;
            if page.is_empty() {
                break;
            }
            for (entry, lives) in self.owned(user, page, deadline).await? {
                // An entry that cannot be dropped now stays, and is skipped.
                let dropped = !lives && self.leave(user, &entry.0, &entry.1, deadline).await.is_ok();
                at += usize::from(!dropped);
                if lives {
                    found.push((entry.0, entry.1.parse().map_err(|_| unexpected())?));
                }
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Whether each entry's session is alive and the user's: asked concurrently, returned in order.
    async fn owned(
        &self,
        user: &str,
        entries: Vec<Entry>,
        deadline: Instant,
    ) -> Result<Vec<(Entry, bool)>, StoreError> {
        let mut asked = JoinSet::new();
        for (at, (id, _)) in entries.iter().enumerate() {
            let (servers, limit) = (self.servers.clone(), self.command_timeout);
            let mut request = Request::script(&script::FAR_OWNED, 1, 0);
            request.arg([self.keys.prefix(), id].concat()).arg(user);
            asked.spawn(async move { (at, servers.call(&request, deadline, limit).await) });
        }
        let mut lives = vec![false; entries.len()];
        while let Some(answer) = asked.join_next().await {
            if let Ok((at, answer)) = answer {
                lives[at] = matches!(answer?, Value::Int(1));
            }
        }
        Ok(entries.into_iter().zip(lives).collect())
    }

    fn on_index(&self, script: &'static Script, user: &str) -> Request {
        let mut request = Request::script(script, 1, 0);
        request.arg(self.keys.user_index(user));
        request
    }
}

fn entries(answer: Value) -> Result<Vec<Entry>, StoreError> {
    let flat: Vec<String> = redis::from_redis_value(answer).map_err(|_| unexpected())?;
    Ok(flat.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
}
