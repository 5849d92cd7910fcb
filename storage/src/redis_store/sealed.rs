//! The stored value of an encrypted session: `{"version":N,"line":"L","base":M,"user":"…","sealed":` followed by
//! segments, one for the session as last written whole and one for each item appended since, and perhaps spaces.
//!
//! | segment | its bytes |
//! |---|---|
//! | base | `B`, key id (8), length of the sealed part (4, big-endian), the sealed part, `.` |
//! | item | `I`, key id (8), mark (16), length (4), the sealed part, `.` |
//!
//! The sealed part is a nonce, the ciphertext and a tag (AES-256-GCM). So for an append the server adds a segment that
//! it cannot read, without reading the rest. It only looks for the mark, to recognise an item that is already there (a
//! mark is a keyed hash, or zeros for an item without identity). The next whole write merges all segments into one
//! base.
//!
//! What the scripts need stays readable: the version, and the name of the user's index, which is a keyed hash of the
//! user. Every segment is bound to the session's prefix and id and to its kind, the base also to the user's hash, an
//! item to its mark. The server counts the version, so it cannot be bound; nor can the lineage, which changes with
//! every append. But the version is the base's version (`M`) plus one for each item. A value that violates this is
//! refused: it was cut between two segments, or its version was altered by accident. An attacker who can write to Redis
//! can still restore an older state of the same session unnoticed.

use super::stored::Stored;
use crate::data::SessionData;
use crate::error::{StoreError, Undecryptable};
use crate::keyring::{Key, KeyId, Keys, MARK_BYTES, Mark, NoRandomness, SEAL_BYTES};
use crate::lineage::Lineage;
use crate::planted;
use crate::store::{Session, SessionId, Version};

use super::envelope;

/// What follows the lineage, with the version still blank.
const HEAD: &[u8] = b"\"base\":                ,";
const BODY: &str = "\"sealed\":";
/// The width of a version: its digits, padded with spaces.
const WIDTH: usize = 16;

const BASE: u8 = b'B';
const ITEM: u8 = b'I';
/// Ends each segment. Not a space, so that the segment's end can be told from the room after it.
const END: u8 = b'.';
/// The mark of an item without identity.
const UNMARKED: Mark = [0; MARK_BYTES];

/// Where a value belongs.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) prefix: &'a str,
    pub(super) id: &'a SessionId,
}

impl Place<'_> {
    /// What a segment is bound to: the place, its kind and `extra`. Lengths come first, so that no two bindings are
    /// equal.
    fn bind(&self, kind: u8, extra: &[u8]) -> Vec<u8> {
        let mut out = self.bytes();
        out.push(kind);
        out.extend_from_slice(extra);
        out
    }

    fn bytes(&self) -> Vec<u8> {
        if planted::seam!(seals_without_place) {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(self.prefix.len() + self.id.as_str().len() + 64);
        for part in [self.prefix, self.id.as_str()] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

/// A value to write, with the versions still blank; `capacity`: the approximate length.
pub(super) fn whole<D: SessionData>(
    keys: &Keys,
    place: Place<'_>,
    user: &str,
    data: &D,
    line: Lineage,
    capacity: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut out = envelope::begin(line, HEAD, user, capacity);
    out.extend_from_slice(BODY.as_bytes());
    segment(keys.newest(), BASE, None, &place.bind(BASE, user.as_bytes()), data, &mut out)?;
    envelope::add_room(&mut out);
    Ok(out)
}

/// An item's segment, and its mark if it has one.
pub(super) fn item<D: SessionData>(
    keys: &Keys,
    place: Place<'_>,
    item: &D::Item,
) -> Result<(Vec<u8>, Option<Mark>), StoreError> {
    let key = keys.newest();
    let mark = D::item_mark(item).map(|mark| key.mark(&place.bytes(), &mark));
    let shown = mark.unwrap_or(UNMARKED);
    let mut out = Vec::with_capacity(256);
    segment(key, ITEM, Some(&shown), &place.bind(ITEM, &shown), item, &mut out)?;
    Ok((out, mark))
}

fn segment(
    key: &Key,
    kind: u8,
    mark: Option<&Mark>,
    aad: &[u8],
    content: &impl serde::Serialize,
    out: &mut Vec<u8>,
) -> Result<(), StoreError> {
    out.push(kind);
    out.extend_from_slice(key.id().as_bytes());
    out.extend_from_slice(mark.map_or(&[], Mark::as_slice));
    let length = out.len();
    out.extend_from_slice(&[0; 4]);
    key.seal(aad, out, |out| {
        // If `serde_json` fails while writing to memory, the data has no JSON form.
        serde_json::to_writer(out, content).map_err(|_| StoreError::Unserializable)
    })?;
    let sealed = u32::try_from(out.len() - length - 4).map_err(|_| StoreError::Unserializable)?;
    out[length..length + 4].copy_from_slice(&sealed.to_be_bytes());
    out.push(END);
    Ok(())
}

/// Reads a stored value, decrypting it in place.
pub(super) fn decode<D: SessionData>(
    keys: &Keys,
    place: Place<'_>,
    mut value: Vec<u8>,
) -> Result<Stored<D>, StoreError> {
    let Some(head) = Head::of(&value) else {
        return match envelope::is_plain(&value) {
            true if keys.accepts_plaintext() || planted::seam!(accepts_plain_values) => envelope::decode(&value),
            true => Err(refuse(Undecryptable::NotEncrypted)),
            false => Err(refuse(Undecryptable::Malformed)),
        };
    };
    let (version, lineage, user) = (head.version, head.lineage, head.user.to_owned());
    let items = head.items().ok_or(refuse(Undecryptable::Malformed))?;
    let at = head.length;
    let rest = &mut value[at..];
    let (base, mut rest) = Segment::first(rest, BASE).ok_or(refuse(Undecryptable::Malformed))?;
    let mut data: D = base.open(keys, &place.bind(BASE, user.as_bytes()))?;
    for _ in 0..items {
        let (item, behind) = Segment::first(rest, ITEM).ok_or(refuse(Undecryptable::Malformed))?;
        let aad = place.bind(ITEM, item.mark);
        // An item that the base already has is not added again.
        data.append(item.open(keys, &aad)?);
        rest = behind;
    }
    if rest.iter().any(|byte| *byte != b' ') {
        return Err(refuse(Undecryptable::Malformed));
    }
    Ok(Stored { session: Session { version, data }, lineage, user })
}

/// Whether a value claims to be sealed.
pub(super) fn is_sealed(value: &[u8]) -> bool {
    Head::of(value).is_some()
}

/// The readable head.
#[derive(Debug, PartialEq, Eq)]
struct Head<'a> {
    version: Version,
    lineage: Lineage,
    base: Version,
    user: &'a str,
    /// Number of bytes before the first segment.
    length: usize,
}

impl<'a> Head<'a> {
    fn of(value: &'a [u8]) -> Option<Self> {
        let (version, rest) = number(value.strip_prefix(b"{\"version\":")?)?;
        let (lineage, rest) = envelope::lineage(rest)?;
        let (base, mut rest) = number(rest.strip_prefix(b"\"base\":")?)?;
        let mut user = "";
        if let Some(named) = rest.strip_prefix(b"\"user\":\"") {
            let end = named.iter().position(|byte| *byte == b'"')?;
            user = std::str::from_utf8(&named[..end]).ok()?;
            rest = named[end + 1..].strip_prefix(b",")?;
        }
        let rest = rest.strip_prefix(BODY.as_bytes())?;
        Some(Self { version, lineage, base, user, length: value.len() - rest.len() })
    }

    /// How many items were appended since the base was written.
    fn items(&self) -> Option<u64> {
        self.version.checked_sub(self.base).filter(|_| self.base > 0)
    }
}

/// A version as the scripts write it, and what follows its comma.
fn number(text: &[u8]) -> Option<(Version, &[u8])> {
    let (field, rest) = text.split_at_checked(WIDTH)?;
    let digits = field.trim_ascii_end();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && digits[0] != b'0';
    let number = plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok())??;
    // Only spaces may follow; `trim` would also accept a line break.
    field[digits.len()..].iter().all(|byte| *byte == b' ').then_some(())?;
    Some((number, rest.strip_prefix(b",")?))
}

/// A segment of a value.
struct Segment<'a> {
    key: KeyId,
    mark: &'a [u8],
    sealed: &'a mut [u8],
}

impl<'a> Segment<'a> {
    /// Splits off the first segment, which must be of `kind`.
    fn first(value: &'a mut [u8], kind: u8) -> Option<(Self, &'a mut [u8])> {
        let (head, rest) = value.split_at_mut_checked(1 + KeyId::BYTES)?;
        let (found, key) = head.split_first()?;
        let key = KeyId::from_bytes(key.try_into().ok()?);
        let (mark, rest) = rest.split_at_mut_checked(if kind == ITEM { MARK_BYTES } else { 0 })?;
        let (length, rest) = rest.split_at_mut_checked(4)?;
        let length = usize::try_from(u32::from_be_bytes((&*length).try_into().ok()?)).ok()?;
        let (sealed, rest) = rest.split_at_mut_checked(length)?;
        let (end, rest) = rest.split_at_mut_checked(1)?;
        let fits = *found == kind && end == [END] && length >= SEAL_BYTES;
        fits.then_some((Self { key, mark, sealed }, rest))
    }

    fn open<T: serde::de::DeserializeOwned>(self, keys: &Keys, aad: &[u8]) -> Result<T, StoreError> {
        let key = keys.find(self.key).ok_or(refuse(Undecryptable::UnknownKey { key: self.key }))?;
        let json = key.open(aad, self.sealed).ok_or(refuse(Undecryptable::Altered))?;
        serde_json::from_slice(json).map_err(|error| envelope::unparsable(&error))
    }
}

fn refuse(reason: Undecryptable) -> StoreError {
    StoreError::Undecryptable { reason }
}

impl From<NoRandomness> for StoreError {
    fn from(_: NoRandomness) -> Self {
        StoreError::Unavailable { reason: "the operating system gives no random numbers to encrypt with".to_owned() }
    }
}

#[cfg(test)]
mod tests;
