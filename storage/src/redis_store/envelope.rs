//! The stored value: `{"version":N,"line":"L","user":"…","data":{…}}`; without a user the field is left out. Version,
//! lineage ([`Lineage`]) and user come first and in this form, so that the scripts find them without decoding 50 KB.
//! JSON allows spaces in two places, which lets the scripts change the value in place: after the version, up to a width
//! of 16, and, if items can be spliced, at the end as room for the next ones.

use super::stored::Stored;
use crate::data::SessionData;
use crate::error::StoreError;
use crate::lineage::{self, Lineage};
use crate::store::{Session, Version};

/// The head up to the lineage, with the version still blank.
const HEAD: &[u8] = b"{\"version\":                ,\"line\":\"";
const BODY: &str = "\"data\":";

/// Room for items at the end: 1/32 of the value, within these limits.
const ROOM: std::ops::RangeInclusive<usize> = 32..=1_024;

/// A value to write, without its version; `user` is percent-encoded, empty for no user. `capacity`: the approximate
/// length. Serialised into its own buffer and then copied into the command, because JSON arrives in many small pieces,
/// which a plain buffer takes more cheaply than a command does.
pub(super) fn whole<D: SessionData>(
    user: &str,
    data: &D,
    line: Lineage,
    capacity: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut out = begin(line, b"", user, capacity);
    out.extend_from_slice(BODY.as_bytes());
    serde_json::to_writer(&mut out, data).map_err(|_| StoreError::Unserializable)?;
    out.push(b'}');
    if D::SPLICE.is_some() {
        add_room(&mut out);
    }
    Ok(out)
}

/// The beginning of a value: its head, `more`, and the user, if any.
pub(super) fn begin(line: Lineage, more: &[u8], user: &str, capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity);
    out.extend_from_slice(HEAD);
    out.extend_from_slice(line.to_string().as_bytes());
    out.extend_from_slice(b"\",");
    out.extend_from_slice(more);
    if !user.is_empty() {
        out.extend_from_slice(b"\"user\":\"");
        out.extend_from_slice(user.as_bytes());
        out.extend_from_slice(b"\",");
    }
    out
}

/// Adds room for items at the end of a value.
pub(super) fn add_room(value: &mut Vec<u8>) {
    let room = (value.len() / 32).clamp(*ROOM.start(), *ROOM.end());
    value.resize(value.len() + room, b' ');
}

/// Reads a stored value.
pub(super) fn decode<D: SessionData>(value: &[u8]) -> Result<Stored<D>, StoreError> {
    let (version, lineage, user, json) = open(value).ok_or_else(|| corrupt("it has no version in front"))?;
    let data = serde_json::from_slice(json).map_err(|error| unparsable(&error))?;
    Ok(Stored { session: Session { version, data }, lineage, user: user.to_owned() })
}

/// Whether a value is a plain-text session, whatever its data.
pub(super) fn is_plain(value: &[u8]) -> bool {
    open(value).is_some()
}

/// The error for JSON that is not a session's.
pub(super) fn unparsable(error: &serde_json::Error) -> StoreError {
    // serde_json's own text may quote the value; its class and position do not.
    corrupt(&format!("{:?} error at byte {} of the data", error.classify(), error.column()))
}

/// Splits off the lineage that follows a value's version; older releases wrote none.
pub(super) fn lineage(rest: &[u8]) -> Option<(Lineage, &[u8])> {
    match rest.strip_prefix(b"\"line\":\"") {
        None => Some((Lineage::default(), rest)),
        Some(line) => {
            let (text, rest) = line.split_at_checked(lineage::TEXT)?;
            Some((Lineage::parse(text)?, rest.strip_prefix(b"\",")?))
        }
    }
}

/// Splits a stored value into its version, its lineage, its user (percent-encoded, empty for none) and the JSON of its
/// data.
fn open(value: &[u8]) -> Option<(Version, Lineage, &str, &[u8])> {
    let rest = value.strip_prefix(b"{\"version\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let version = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let rest = rest[digits..].trim_ascii_start().strip_prefix(b",")?;
    let (line, mut rest) = lineage(rest)?;
    let mut user = "";
    if let Some(named) = rest.strip_prefix(b"\"user\":\"") {
        let end = named.iter().position(|byte| *byte == b'"')?;
        user = std::str::from_utf8(&named[..end]).ok()?;
        rest = named[end + 1..].strip_prefix(b",")?;
    }
    let json = rest.strip_prefix(BODY.as_bytes())?.trim_ascii_end().strip_suffix(b"}")?;
    Some((version, line, user, json))
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
        let none = Lineage::default();
        assert_eq!(open(br#"{"version":12,"data":{"a":1}}"#), Some((12, none, "", &br#"{"a":1}"#[..])));
        assert_eq!(open(br#"{"version":12   ,"data":{"a":1}}   "#), Some((12, none, "", &br#"{"a":1}"#[..])));
        assert_eq!(open(br#"{"version":3,"user":"a%22","data":{}}"#), Some((3, none, "a%22", &b"{}"[..])));
        let line = Lineage::parse(b"0000000a0000000b").unwrap();
        let value = br#"{"version":3 ,"line":"0000000a0000000b","user":"a","data":{}}"#;
        assert_eq!(open(value), Some((3, line, "a", &b"{}"[..])));
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
            "{\"version\":1,\"line\":\"12\",\"data\":{}}",
        ] {
            assert_eq!(open(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn a_written_value_opens_again_once_its_version_is_filled_in() {
        let id = SessionId::new("s1").unwrap();
        for (user, encoded) in [(UserId::anonymous(), ""), (UserId::Number(7), "7")] {
            let data = TriviaSession::sized(id.clone(), user, 1_000, Timestamp(0));
            let line = Lineage::random();
            let mut value = whole(encoded, &data, line, 0).unwrap();
            assert!(value.ends_with(&[b"\"answers\":[]}}".as_slice(), &[b' '; 32]].concat()));
            value[11..13].copy_from_slice(b"42");
            let stored = decode::<TriviaSession>(&value).unwrap();
            assert_eq!((stored.user.as_str(), stored.lineage), (encoded, line));
            assert_eq!((stored.session.version, stored.session.data), (42, data));
        }
    }
}
