//! How sessions are stored in Redis: as JSON (`envelope`), or encrypted (`sealed`) if the store has a key ring.

use std::borrow::Cow;
use std::sync::Arc;

use super::envelope;
use super::key_names::encode_user;
use super::sealed::{self, Place};
use super::stored::Stored;
use crate::data::SessionData;
use crate::error::{StoreError, Undecryptable};
use crate::keyring::{KeyRing, Keys};
use crate::lineage::Lineage;

/// How a store writes and reads its values.
pub(super) struct Codec(Option<Arc<KeyRing>>);

/// The same for one operation, so that a key rotation in the middle does not affect it.
pub(super) struct Coder(Option<Arc<Keys>>);

impl Codec {
    pub(super) fn new(keyring: Option<Arc<KeyRing>>) -> Self {
        Self(keyring)
    }

    pub(super) fn coder(&self) -> Coder {
        Coder(self.0.as_ref().map(|ring| ring.now()))
    }
}

impl Coder {
    /// The keys, if values are encrypted.
    pub(super) fn keys(&self) -> Option<&Keys> {
        self.0.as_deref()
    }

    /// A user as written from now on; empty for no user.
    pub(super) fn user(&self, user: Option<Cow<'_, str>>) -> String {
        let Some(user) = user else { return String::new() };
        self.keys().map_or_else(|| encode_user(&user), |keys| keys.newest().user(&user))
    }

    /// Every form in which a session of this user may have been written.
    pub(super) fn users(&self, user: &str) -> Vec<String> {
        let Some(keys) = self.keys() else { return vec![encode_user(user)] };
        let plain = keys.accepts_plaintext().then(|| encode_user(user));
        keys.iter().map(|key| key.user(user)).chain(plain).collect()
    }

    /// Encodes a value that `line` writes; the version is filled in later. `user` comes from [`Coder::user`];
    /// `capacity`: the approximate length.
    pub(super) fn encode<D: SessionData>(
        &self,
        place: Place<'_>,
        user: &str,
        data: &D,
        line: Lineage,
        capacity: usize,
    ) -> Result<Vec<u8>, StoreError> {
        match self.keys() {
            Some(keys) => sealed::whole(keys, place, user, data, line, capacity),
            None => envelope::whole(user, data, line, capacity),
        }
    }

    /// Reads a stored value.
    pub(super) fn decode<D: SessionData>(&self, place: Place<'_>, value: Vec<u8>) -> Result<Stored<D>, StoreError> {
        match self.keys() {
            Some(keys) => sealed::decode(keys, place, value),
            None if sealed::is_sealed(&value) => Err(StoreError::Undecryptable { reason: Undecryptable::NoKeys }),
            None => envelope::decode(&value),
        }
    }
}
