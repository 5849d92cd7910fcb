//! The stored value: `{"version":N,"user":"…","data":{…}}`, the user left out where there is none. Version and user
//! stand in front and in this form, so that the scripts find them without decoding 50 KB. Two kinds of spaces, which JSON
//! allows, let them change the value in place: behind the version up to a width of 16, and, where items can be spliced,
//! at the end as room for the next ones.

use std::cell::Cell;
use std::io::{self, Write};

use redis::{RedisWrite, ToRedisArgs};

use super::Stored;
use crate::data::SessionData;
use crate::error::StoreError;
use crate::store::{Session, Version};

/// The head before the version is filled in.
const HEAD: &[u8] = b"{\"version\":                ,";
pub(super) const BODY: &str = "\"data\":";

/// Room for items at the end: a 32nd of the value, within these.
const ROOM: std::ops::RangeInclusive<usize> = 32..=1_024;
const SPACES: [u8; 1_024] = [b' '; 1_024];

/// The room for items that a value of so many bytes gets.
pub(super) fn room(bytes: usize) -> usize {
    (bytes / 32).clamp(*ROOM.start(), *ROOM.end())
}

/// A value to be written, as one argument of a command: serialised straight into the command's buffer.
pub(super) struct Unversioned<'a, D> {
    data: &'a D,
    /// The head with this user (percent-encoded, empty for nobody); `None`: a script will put one in front.
    head: Option<&'a str>,
    /// Bytes written; `None`: it could not be written, and what was written must not be sent.
    written: Cell<Option<usize>>,
}

impl<'a, D: SessionData> Unversioned<'a, D> {
    /// The value whole, with room for its version.
    pub(super) fn whole(data: &'a D, user: &'a str) -> Self {
        Self { data, head: Some(user), written: Cell::new(None) }
    }

    /// The value from behind its head on.
    pub(super) fn without_head(data: &'a D) -> Self {
        Self { data, head: None, written: Cell::new(None) }
    }

    /// How many bytes were written.
    pub(super) fn written(&self) -> Result<usize, StoreError> {
        self.written.get().ok_or(StoreError::Unserializable)
    }

    fn write(&self, out: impl Write) -> io::Result<usize> {
        let mut out = Counted { out, bytes: 0 };
        if let Some(user) = self.head {
            out.write_all(HEAD)?;
            if !user.is_empty() {
                write!(out, "\"user\":\"{user}\",")?;
            }
        }
        out.write_all(BODY.as_bytes())?;
        serde_json::to_writer(&mut out, self.data)?;
        out.write_all(b"}")?;
        let room = if D::SPLICE.is_some() { room(out.bytes) } else { 0 };
        out.write_all(&SPACES[..room])?;
        Ok(out.bytes)
    }
}

impl<D: SessionData> ToRedisArgs for Unversioned<'_, D> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        self.written.set(self.write(out.writer_for_next_arg()).ok());
    }
}

struct Counted<W> {
    out: W,
    bytes: usize,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written;
        Ok(written)
    }

    /// JSON comes in small pieces: each goes on in one call instead of a loop.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.bytes += bytes.len();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads a stored value.
pub(super) fn decode<D: SessionData>(value: &[u8]) -> Result<Stored<D>, StoreError> {
    let (version, user, json) = open(value).ok_or_else(|| corrupt("it has no version in front"))?;
    let data = serde_json::from_slice(json).map_err(|error| unparsable(&error))?;
    Ok(Stored { session: Session { version, data }, user: user.to_owned() })
}

/// Whether a value is a session as plain text, its data aside.
pub(super) fn is_plain(value: &[u8]) -> bool {
    open(value).is_some()
}

/// The JSON is not a session's.
pub(super) fn unparsable(error: &serde_json::Error) -> StoreError {
    // serde_json's own text may quote the value; its class and place do not.
    corrupt(&format!("{:?} error at byte {} of the data", error.classify(), error.column()))
}

/// Splits a stored value into its version, its user (percent-encoded, empty for nobody) and the JSON of its data.
fn open(value: &[u8]) -> Option<(Version, &str, &[u8])> {
    let rest = value.strip_prefix(b"{\"version\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let version = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let mut rest = rest[digits..].trim_ascii_start().strip_prefix(b",")?;
    let mut user = "";
    if let Some(named) = rest.strip_prefix(b"\"user\":\"") {
        let end = named.iter().position(|byte| *byte == b'"')?;
        user = std::str::from_utf8(&named[..end]).ok()?;
        rest = named[end + 1..].strip_prefix(b",")?;
    }
    let json = rest.strip_prefix(BODY.as_bytes())?.trim_ascii_end().strip_suffix(b"}")?;
    Some((version, user, json))
}

fn corrupt(reason: &str) -> StoreError {
    StoreError::Corrupt { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::timestamp::Timestamp;
    use crate::record::trivia::{TriviaSession, UserId};
    use crate::store::SessionId;

    #[test]
    fn a_value_opens_with_and_without_a_user_and_whatever_its_spaces() {
        assert_eq!(open(br#"{"version":12,"data":{"a":1}}"#), Some((12, "", &br#"{"a":1}"#[..])));
        assert_eq!(open(br#"{"version":12   ,"data":{"a":1}}   "#), Some((12, "", &br#"{"a":1}"#[..])));
        assert_eq!(open(br#"{"version":3,"user":"a%22","data":{}}"#), Some((3, "a%22", &b"{}"[..])));
    }

    #[test]
    fn what_is_not_an_envelope_does_not_open() {
        for value in [
            "",
            "{}",
            "null",
            "{\"version\":,\"data\":{}}",
            "{\"version\":1}",
            "{\"version\":99999999999999999999,\"data\":{}}",
            "{\"version\":1,\"user\":\"x",
        ] {
            assert_eq!(open(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn a_written_value_opens_again_once_its_version_is_filled_in() {
        let id = SessionId::new("s1").unwrap();
        for (user, encoded) in [(UserId::anonymous(), ""), (UserId::Number(7), "7")] {
            let data = TriviaSession::sized(id.clone(), user, 1_000, Timestamp(0));
            let (mut value, mut tail) = (Vec::new(), Vec::new());
            Unversioned::whole(&data, encoded).write(&mut value).unwrap();
            Unversioned::without_head(&data).write(&mut tail).unwrap();
            assert!(tail.starts_with(b"\"data\":{\"sessionId\":\"s1\""));
            for written in [&value, &tail] {
                assert!(written.ends_with(&[b"\"answers\":[]}}".as_slice(), &[b' '; 32]].concat()));
            }
            value[11..13].copy_from_slice(b"42");
            let stored = decode::<TriviaSession>(&value).unwrap();
            assert_eq!(stored.user, encoded);
            assert_eq!((stored.session.version, stored.session.data), (42, data));
        }
    }
}
