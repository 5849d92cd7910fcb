//! Giving a session another id. The value is read, made anew for the new id (its data may contain the id, and an
//! encrypted value is bound to it), and moved by one script that compares the state that was read: content, lifetime,
//! index and the old id's tombstone change together.

use std::time::Duration;

use super::calls::{Call, found};
use super::cluster::slot;
use super::operations::{APPEND_ROUNDS, CONTENDED};
use super::retry::Backoff;
use super::script;
use super::store::RedisStore;
use crate::data::{SessionData, renamed};
use crate::error::StoreError;
use crate::operation::Answer;
use crate::store::{Session, SessionId};

impl<D: SessionData> RedisStore<D> {
    /// Whether one script can move a session between these ids: on one server always, in a cluster within a slot.
    pub(crate) fn can_rename(&self, from: &SessionId, to: &SessionId) -> Result<(), StoreError> {
        let slot = |id| slot::of(self.keys.session(id).as_bytes());
        if from == to {
            return Err(StoreError::AlreadyExists);
        }
        if self.is_far() && slot(from) != slot(to) { Err(StoreError::OtherSlot) } else { Ok(()) }
    }

    /// Moves the session to its new id, and returns its state there.
    pub(super) async fn rename_from(
        &self,
        from: &SessionId,
        to: &SessionId,
        ttl: Duration,
        call: Call,
    ) -> Result<Answer<D>, StoreError> {
        self.can_rename(from, to)?;
        let mut current = 0;
        let mut pauses = Backoff::new(CONTENDED, self.randomness());
        for _ in 0..APPEND_ROUNDS {
            let read = self.read(from, None, call.deadline).await;
            let Some(stored) = read.map_err(|error| self.note_unreadable(from, error))? else {
                return Err(StoreError::NotFound);
            };
            let Session { version, data } = stored.session;
            let data = renamed(data, to);
            let mut writing = self.moving(&script::RENAME, to, std::slice::from_ref(from), &data, ttl, call.line)?;
            writing.request.arg(version).arg(stored.lineage.write_text());
            writing.request.arg(self.keys.instance()).arg(from.as_str());
            let (answer, lineage) = self.write(writing, to, call.deadline).await?;
            match found(answer) {
                // Another call wrote the session since it was read.
                Err(StoreError::Conflict { current: now }) => {
                    current = now;
                    tokio::time::sleep(pauses.next().unwrap_or_default()).await;
                }
                other => return other.map(|version| Answer { data: Some(data), ..Answer::at(version).of(lineage) }),
            }
        }
        Err(StoreError::Conflict { current })
    }

    /// A fresh random id in the same slot as `from`, if there are slots. The slot alone decides the last digits, so
    /// all 122 random bits remain.
    pub(super) fn fresh_beside(&self, from: &SessionId) -> SessionId {
        if !self.is_far() {
            return SessionId::random();
        }
        let slot = slot::of(self.keys.session(from).as_bytes());
        loop {
            let fresh = format!("{}-", SessionId::random());
            let key = [self.keys.prefix(), &fresh].concat();
            let digits = slot::digits(key.as_bytes(), slot).map(|digits| fresh + &digits);
            if let Some(id) = digits.and_then(|id| SessionId::new(&id)) {
                return id;
            }
        }
    }
}
