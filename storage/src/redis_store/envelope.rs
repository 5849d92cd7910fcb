//! The stored value: `{"version":N,"user":"…","data":{…}}`, the user left out where there is none. Version and user
//! stand in front and in this form, so that the scripts find them without decoding 50 KB. Two kinds of spaces, which JSON
//! allows, let them change the value in place: behind the version up to a width of 16, and, where items can be spliced,
//! at the end as room for the next ones.

use std::cell::Cell;
use std::io::{self, Write};

use redis::{RedisWrite, ToRedisArgs};

use crate::data::SessionData;
use crate::error::StoreError;
use crate::store::{Session, Version};

/// The head before the version is filled in.
const HEAD: &str = "{\"version\":                ,";

/// Room for items at the end: a 32nd of the value, within these.
const ROOM: std::ops::RangeInclusive<usize> = 32..=1_024;
const SPACES: [u8; 1_024] = [b' '; 1_024];

/// A value to be written, as one argument of a command: serialised straight into the command's buffer.
pub(super) struct Unversioned<'a, D> {
    data: &'a D,
    user: &'a str,
    failed: Cell<bool>,
}

impl<'a, D: SessionData> Unversioned<'a, D> {
    /// `user` is percent-encoded, and empty for nobody.
    pub(super) fn new(data: &'a D, user: &'a str) -> Self {
        Self { data, user, failed: Cell::new(false) }
    }

    /// Whether writing it has failed: then what was written must not be sent.
    pub(super) fn failed(&self) -> bool {
        self.failed.get()
    }

    fn write(&self, out: impl Write) -> io::Result<()> {
        let mut out = Counted { out, bytes: 0 };
        out.write_all(HEAD.as_bytes())?;
        if !self.user.is_empty() {
            write!(out, "\"user\":\"{}\",", self.user)?;
        }
        out.write_all(DATA)?;
        serde_json::to_writer(&mut out, self.data)?;
        out.write_all(b"}")?;
        let room = if D::SPLICE.is_some() { (out.bytes / 32).clamp(*ROOM.start(), *ROOM.end()) } else { 0 };
        out.write_all(&SPACES[..room])
    }
}

const DATA: &[u8] = b"\"data\":";

impl<D: SessionData> ToRedisArgs for Unversioned<'_, D> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let written = self.write(out.writer_for_next_arg());
        self.failed.set(written.is_err());
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

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The part of an unversioned value, written for `user`, from its data on: what a script puts behind a head of its own.
pub(super) fn from_data_on<'v>(value: &'v [u8], user: &str) -> &'v [u8] {
    let user = if user.is_empty() { 0 } else { "\"user\":\"\",".len() + user.len() };
    &value[HEAD.len() + user + DATA.len()..]
}

/// Reads a stored value.
pub(super) fn decode<D: SessionData>(value: &[u8]) -> Result<Session<D>, StoreError> {
    let (version, json) = open(value).ok_or_else(|| corrupt("it has no version in front"))?;
    let data = serde_json::from_slice(json).map_err(|error| {
        // serde_json's own text may quote the value; its class and place do not.
        corrupt(&format!("{:?} error at byte {} of the data", error.classify(), error.column()))
    })?;
    Ok(Session { version, data })
}

/// Splits a stored value into its version and the JSON of its data.
fn open(value: &[u8]) -> Option<(Version, &[u8])> {
    let rest = value.strip_prefix(b"{\"version\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let version = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let mut rest = rest[digits..].trim_ascii_start().strip_prefix(b",")?;
    if let Some(user) = rest.strip_prefix(b"\"user\":\"") {
        let end = user.iter().position(|byte| *byte == b'"')?;
        rest = user[end + 1..].strip_prefix(b",")?;
    }
    let json = rest.strip_prefix(DATA)?.trim_ascii_end().strip_suffix(b"}")?;
    Some((version, json))
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
        assert_eq!(open(br#"{"version":12,"data":{"a":1}}"#), Some((12, &br#"{"a":1}"#[..])));
        assert_eq!(open(br#"{"version":12   ,"data":{"a":1}}   "#), Some((12, &br#"{"a":1}"#[..])));
        assert_eq!(open(br#"{"version":3,"user":"a%22","data":{}}"#), Some((3, &b"{}"[..])));
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
            let mut value = Vec::new();
            Unversioned::new(&data, encoded).write(&mut value).unwrap();
            assert!(value.ends_with(&[b"\"answers\":[]}}".as_slice(), &[b' '; 32]].concat()));
            assert!(from_data_on(&value, encoded).starts_with(b"{\"sessionId\":\"s1\""));
            value[11..13].copy_from_slice(b"42");
            let session = decode::<TriviaSession>(&value).unwrap();
            assert_eq!((session.version, session.data), (42, data));
        }
    }
}
