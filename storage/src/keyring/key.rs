//! One key and the keys derived from it: the only place that encrypts and decrypts.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Bytes that sealing adds: the nonce before and the tag after.
pub(crate) const SEAL_BYTES: usize = NONCE_LEN + 16;
/// Bytes of an item's mark.
pub(crate) const MARK_BYTES: usize = 16;
pub(crate) type Mark = [u8; MARK_BYTES];

const ID_BYTES: usize = 8;

/// An encryption key, ready for use. It can be neither exported nor shown.
pub struct Key {
    id: KeyId,
    sealing: LessSafeKey,
    users: hmac::Key,
    marks: hmac::Key,
}

/// Identifies a key in the values that it sealed. It is derived from the key and does not reveal it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; ID_BYTES]);

/// The text is not a key. Reveals nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an encryption key: expected 64 hex digits (openssl rand -hex 32 makes one)")]
pub struct InvalidKey;

/// The operating system provided no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random numbers")]
pub struct NoRandomness;

/// Number of bytes to derive.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

impl Key {
    /// Parses a key of 64 hex digits, the form of SESSION_ENCRYPTION_KEY.
    ///
    /// # Errors
    /// [`InvalidKey`] for anything else.
    pub fn from_hex(text: &str) -> Result<Self, InvalidKey> {
        let mut secret = Zeroizing::new([0; 32]);
        decode_hex(text, secret.as_mut_slice()).ok_or(InvalidKey)?;
        Self::derive(&secret[..]).ok_or(InvalidKey)
    }

    /// HKDF-SHA256 (RFC 5869). Never fails for these lengths.
    fn derive(secret: &[u8]) -> Option<Self> {
        let root = Salt::new(HKDF_SHA256, b"firedrill-storage session key 1").extract(secret);
        let mut id = [0; ID_BYTES];
        root.expand(&[b"key id"], Bytes(ID_BYTES)).ok()?.fill(&mut id).ok()?;
        Some(Self {
            id: KeyId(id),
            sealing: LessSafeKey::new(UnboundKey::from(root.expand(&[b"seal"], &AES_256_GCM).ok()?)),
            users: named(&root, b"user")?,
            marks: named(&root, b"mark")?,
        })
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Seals what `write` appends to `out`, in place: the nonce goes before it and the tag after it. `aad` is not
    /// stored, and must be the same for opening.
    pub(crate) fn seal<E: From<NoRandomness>>(
        &self,
        aad: &[u8],
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| NoRandomness)?;
        out.extend_from_slice(&nonce);
        let begin = out.len();
        write(out)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        // Fails only beyond 64 GiB, far more than Redis accepts.
        let tag = self.sealing.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut out[begin..]);
        out.extend_from_slice(tag.map_err(|_| NoRandomness)?.as_ref());
        Ok(())
    }

    /// Opens in place what [`seal`](Key::seal) has sealed. `None`: not sealed with this key and `aad`, or altered.
    pub(crate) fn open<'a>(&self, aad: &[u8], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let (nonce, rest) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.sealing.open_in_place(nonce, Aad::from(aad), rest).ok().map(|plain| &*plain)
    }

    /// A user's name as stored in Redis: the same for the same user, so that their sessions can be listed.
    pub(crate) fn user(&self, user: &str) -> String {
        hex(&hmac::sign(&self.users, user.as_bytes()).as_ref()[..16])
    }

    /// Identifies an item within the session that `place` names.
    pub(crate) fn mark(&self, place: &[u8], mark: &str) -> Mark {
        let mut context = hmac::Context::with_key(&self.marks);
        context.update(place);
        context.update(mark.as_bytes());
        let mut out = [0; MARK_BYTES];
        out.copy_from_slice(&context.sign().as_ref()[..MARK_BYTES]);
        out
    }
}

fn named(root: &Prk, name: &[u8]) -> Option<hmac::Key> {
    root.expand(&[name], HMAC_SHA256).ok().map(hmac::Key::from)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl KeyId {
    pub(crate) const BYTES: usize = ID_BYTES;

    pub(crate) fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }

    /// Parses what [`Display`](fmt::Display) writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; ID_BYTES];
        decode_hex(text, &mut bytes).map(|()| Self(bytes))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(DIGITS[usize::from(half)])).collect()
}

/// Fills `out` from exactly as many hex digits as it needs.
fn decode_hex(text: &str, out: &mut [u8]) -> Option<()> {
    if text.len() != 2 * out.len() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &Key, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(plain);
            Ok::<(), NoRandomness>(())
        };
        key.seal(aad, &mut out, write).unwrap();
        out
    }

    #[test]
    fn a_key_is_64_hex_digits() {
        assert!(Key::from_hex(&"aB".repeat(32)).is_ok());
        for bad in ["", "ab", &"a".repeat(63), &"a".repeat(65), &"g".repeat(64), &"é".repeat(32), &"+1".repeat(32)] {
            let error = Key::from_hex(bad).unwrap_err().to_string();
            assert!(bad.is_empty() || !error.contains(bad), "{error}");
        }
    }

    #[test]
    fn a_key_is_known_by_an_id_of_its_own() {
        let (one, two) = (Key::from_hex(&"1".repeat(64)).unwrap(), Key::from_hex(&"2".repeat(64)).unwrap());
        assert_ne!(one.id(), two.id());
        assert_eq!(one.id(), Key::from_hex(&"1".repeat(64)).unwrap().id());
        assert_eq!(KeyId::parse(&one.id().to_string()), Some(one.id()));
        assert_eq!(KeyId::parse("xyz"), None);
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_and_context_only() {
        let (key, other) = (Key::from_hex(&"1".repeat(64)).unwrap(), Key::from_hex(&"2".repeat(64)).unwrap());
        let value = sealed(&key, b"here", b"secret");
        assert_eq!(value.len(), b"secret".len() + SEAL_BYTES);
        assert_eq!(key.open(b"here", &mut value.clone()), Some(&b"secret"[..]));
        assert_eq!(key.open(b"there", &mut value.clone()), None);
        assert_eq!(other.open(b"here", &mut value.clone()), None);
        assert_eq!(key.open(b"here", &mut []), None);
        assert_ne!(sealed(&key, b"here", b"secret"), value, "a fresh nonce each time");
    }

    #[test]
    fn a_users_name_and_an_items_mark_depend_on_the_key() {
        let (one, two) = (Key::from_hex(&"1".repeat(64)).unwrap(), Key::from_hex(&"2".repeat(64)).unwrap());
        assert_eq!(one.user("ada"), one.user("ada"));
        assert_ne!(one.user("ada"), two.user("ada"));
        assert_ne!(one.user("ada"), one.user("bob"));
        assert_ne!(one.mark(b"a", "1"), one.mark(b"b", "1"));
        assert_ne!(one.mark(b"a", "1"), two.mark(b"a", "1"));
    }
}
