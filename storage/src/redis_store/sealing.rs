//! Encrypted values. For an append, the item is sealed here, and a script in Redis adds it without reading the rest of
//! the session. Unreadable values are counted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::calls::{Call, found};
use super::sealed::Place;
use super::store::RedisStore;
use super::{script, sealed};
use crate::clock::millis;
use crate::data::SessionData;
use crate::error::{StoreError, Undecryptable};
use crate::event::Event;
use crate::keyring::Keys;
use crate::store::{SessionId, Version};

impl<D: SessionData> RedisStore<D> {
    pub(super) async fn append_sealed(
        &self,
        keys: &Keys,
        id: &SessionId,
        item: &D::Item,
        ttl: Duration,
        call: Call,
    ) -> Result<Version, StoreError> {
        let (segment, mark) = sealed::item::<D>(keys, self.place(id), item)?;
        let known: Vec<u8> = keys.iter().flat_map(|key| *key.id().as_bytes()).collect();
        let mut request = self.about(&script::APPEND_SEALED, id);
        request.arg(millis(ttl)).arg(segment).arg(mark.as_ref().map_or(&[][..], |mark| mark)).arg(known);
        request.arg(call.line.write_text());
        match self.run(&request, id, ttl, call.deadline).await {
            // The one kind of value without segments: it is read and written whole, which seals it.
            Err(StoreError::Undecryptable { reason: Undecryptable::NotEncrypted }) if keys.accepts_plaintext() => {
                self.append_by_version(id, item, ttl, call).await
            }
            answered => found(answered?),
        }
    }

    /// Where a session's value belongs.
    pub(super) fn place<'a>(&'a self, id: &'a SessionId) -> Place<'a> {
        Place { prefix: self.keys.prefix(), id }
    }

    /// Counts an error that says that a stored value cannot be read.
    pub(super) fn note_unreadable(&self, id: &SessionId, error: StoreError) -> StoreError {
        if matches!(error, StoreError::Undecryptable { .. } | StoreError::Corrupt { .. }) {
            self.unreadable.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("firedrill_store_unreadable_total").increment(1);
            (self.events)(Event::Unreadable { session: id.clone() });
        }
        error
    }
}
