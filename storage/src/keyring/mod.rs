//! Keys for sessions at rest: AES-256-GCM, a fresh random nonce for each value, and rotation.
//!
//! A [`KeyRing`] holds the newest key, which seals every new value, and the old keys, which still open old values. The
//! next whole write of a value seals it with the newest key. To rotate while several processes share sessions, first
//! give the new key to all of them as an old one, then make it the newest in each: that way no process meets a value
//! whose key it does not know. Remove an old key once the longest lifetime has passed.
//!
//! The key of 64 hex digits is not used directly. HKDF-SHA256 derives from it one key for sealing, one for the names of
//! users and one for the marks of items, and the id that identifies it in a value. The id reveals nothing about the
//! key. A nonce is 96 random bits, so one key should not seal more than four thousand million values (NIST SP 800-38D,
//! 8.3).

mod key;

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::planted;

pub use key::{InvalidKey, Key, KeyId, NoRandomness};
pub(crate) use key::{MARK_BYTES, Mark, SEAL_BYTES};

/// The keys of a store. [`rotate`](KeyRing::rotate) may be called while stores use it.
pub struct KeyRing {
    keys: RwLock<Arc<Keys>>,
}

/// The keys at one moment: an operation uses the same set from beginning to end.
pub(crate) struct Keys {
    /// The newest first; never empty.
    keys: Vec<Arc<Key>>,
    accept_plaintext: bool,
}

impl KeyRing {
    /// A ring that seals with `newest` and opens with all.
    pub fn new(newest: Key, old: Vec<Key>) -> Self {
        let keys = std::iter::once(newest).chain(old).map(Arc::new).collect();
        Self { keys: RwLock::new(Arc::new(Keys { keys, accept_plaintext: false })) }
    }

    /// Whether a session stored in plain text is accepted (and sealed at its next write). Default: false, so plain text
    /// is refused. Accept it only while encryption is being introduced: as long as it is accepted, anyone who can write
    /// to Redis can forge sessions.
    pub fn accept_plaintext(self, accept: bool) -> Self {
        self.change(|keys| Keys { keys: keys.keys.clone(), accept_plaintext: accept });
        self
    }

    /// Seals with `newest` from now on; the previous keys still open values.
    pub fn rotate(&self, newest: Key) {
        self.change(|keys| {
            let old = keys.keys.iter().filter(|key| key.id() != newest.id()).cloned().collect::<Vec<_>>();
            Keys {
                keys: std::iter::once(Arc::new(newest)).chain(old).collect(),
                accept_plaintext: keys.accept_plaintext,
            }
        });
    }

    /// Seals `plain` with the newest key, for data stored beside the sessions. It opens only with the same `context`,
    /// which is not stored: it names the value's place, so that the value cannot be moved elsewhere.
    ///
    /// # Errors
    /// [`NoRandomness`] if there are no random numbers for a nonce.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        let keys = self.now();
        let newest = keys.newest();
        let mut sealed = Vec::with_capacity(KeyId::BYTES + plain.len() + SEAL_BYTES);
        sealed.extend_from_slice(newest.id().as_bytes());
        newest.seal(context, &mut sealed, |out| {
            out.extend_from_slice(plain);
            Ok::<(), NoRandomness>(())
        })?;
        Ok(sealed)
    }

    /// Opens what [`seal`](KeyRing::seal) made. `None`: its key is not in the ring, the context differs, or it was
    /// altered.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, sealed) = sealed.split_first_chunk()?;
        let mut sealed = sealed.to_vec();
        self.now().find(KeyId::from_bytes(*id))?.open(context, &mut sealed).map(<[u8]>::to_vec)
    }

    /// The ids of the keys, newest first.
    pub fn ids(&self) -> Vec<KeyId> {
        self.now().keys.iter().map(|key| key.id()).collect()
    }

    pub(crate) fn now(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read())
    }

    fn change(&self, next: impl FnOnce(&Keys) -> Keys) {
        let mut keys = self.keys.write();
        *keys = Arc::new(next(&keys));
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("ids", &self.ids()).finish_non_exhaustive()
    }
}

impl Keys {
    /// The key that seals.
    pub(crate) fn newest(&self) -> &Key {
        &self.keys[0]
    }

    /// The key with this id.
    pub(crate) fn find(&self, id: KeyId) -> Option<&Key> {
        let known = if planted::seam!(forgets_old_keys) { 1 } else { self.keys.len() };
        self.iter().take(known).find(|key| key.id() == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().map(Arc::as_ref)
    }

    pub(crate) fn accepts_plaintext(&self) -> bool {
        self.accept_plaintext
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> Key {
        Key::from_hex(&digit.repeat(64)).unwrap()
    }

    #[test]
    fn a_ring_seals_with_the_newest_key_and_knows_the_old_ones() {
        let ring = KeyRing::new(key("1"), vec![key("2")]);
        assert_eq!(ring.now().newest().id(), key("1").id());
        ring.rotate(key("3"));
        assert_eq!(ring.ids(), [key("3").id(), key("1").id(), key("2").id()]);
        ring.rotate(key("2"));
        assert_eq!(ring.ids(), [key("2").id(), key("3").id(), key("1").id()]);
        assert!(ring.now().find(key("4").id()).is_none());
    }

    #[test]
    fn a_sealed_value_opens_in_its_place_with_its_key_and_unaltered() {
        let ring = KeyRing::new(key("1"), vec![]);
        let sealed = ring.seal(b"here", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        ring.rotate(key("2"));
        assert_eq!(ring.open(b"here", &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(ring.open(b"there", &sealed), None);
        assert_eq!(KeyRing::new(key("2"), vec![]).open(b"here", &sealed), None);
        let mut altered = sealed;
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(ring.open(b"here", &altered), None);
        assert_eq!(ring.open(b"here", b"short"), None);
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let digits = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let ring = KeyRing::new(Key::from_hex(digits).unwrap(), vec![]);
        for shown in [format!("{ring:?}"), format!("{:?}", Key::from_hex(digits).unwrap())] {
            assert!(!shown.contains("00112233") && !shown.contains("[0, 17"), "{shown}");
        }
    }
}
