//! The stored value: `{"version":N,"user":"…","data":{…}}`, the user left out where there is none. Version and user
//! stand in front and in this form, so that the scripts find them without decoding 50 KB.

use crate::data::SessionData;
use crate::error::StoreError;
use crate::store::{Session, Version};

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
pub(super) fn open(value: &[u8]) -> Option<(Version, &[u8])> {
    let rest = value.strip_prefix(b"{\"version\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let version = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let mut rest = &rest[digits..];
    if let Some(user) = rest.strip_prefix(b",\"user\":\"") {
        let end = user.iter().position(|byte| *byte == b'"')?;
        rest = &user[end + 1..];
    }
    let json = rest.strip_prefix(b",\"data\":")?.strip_suffix(b"}")?;
    Some((version, json))
}

fn corrupt(reason: &str) -> StoreError {
    StoreError::Corrupt { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_with_and_without_a_user() {
        assert_eq!(open(br#"{"version":12,"data":{"a":1}}"#), Some((12, &br#"{"a":1}"#[..])));
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
}
