//! How keys are named: `{prefix}{id}` is a session, `{prefix}gone:{id}` the tombstone of a destroyed one,
//! `{prefix}user:{user}` the index of a user's sessions, `{prefix}new:…` a value sent ahead, and `{prefix}probe:…` a
//! test write. An id has no colon, so these cannot be confused.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cluster::slot;
use crate::store::SessionId;

/// The beginning of every tombstone's key.
pub(super) fn tombstones(prefix: &str) -> String {
    format!("{prefix}gone:")
}

pub(super) struct KeyNames {
    prefix: String,
    /// Whether a session's other keys carry its key as their hash tag. Not if the prefix already has a tag: then every
    /// key is in that tag's slot.
    tagged: bool,
    /// Tells this store's own keys from those of other processes.
    instance: String,
    staged: AtomicU64,
}

impl KeyNames {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, tagged: false, instance: uuid::Uuid::new_v4().simple().to_string(), staged: AtomicU64::new(0) }
    }

    /// Keys for a cluster; `None` if the prefix's braces would become part of a tag.
    pub(super) fn for_cluster(prefix: String) -> Option<Self> {
        let tagged = slot::tag(prefix.as_bytes()).is_none();
        (!tagged || !prefix.contains(['{', '}'])).then(|| Self { tagged, ..Self::new(prefix) })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn session(&self, id: &SessionId) -> String {
        [&self.prefix, id.as_str()].concat()
    }

    pub(super) fn tombstone(&self, id: &SessionId) -> String {
        self.beside("gone:", id)
    }

    pub(super) fn user_index(&self, encoded_user: &str) -> String {
        [&self.prefix, "user:", encoded_user].concat()
    }

    /// Identifies this store among those of other processes: hexadecimal digits.
    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// This process's own keys, to test whether Redis accepts writes.
    pub(super) fn probe(&self, number: usize) -> String {
        format!("{}probe:{}-{number}", self.prefix, self.instance)
    }

    /// A key for sending one value of this session ahead.
    pub(super) fn staging(&self, id: &SessionId) -> String {
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        if self.tagged {
            format!("{}:{}-{number}", self.beside("new:", id), self.instance)
        } else {
            format!("{}new:{}-{number}", self.prefix, self.instance)
        }
    }

    /// Another key in the session's slot. The tag is the session's whole key, which itself has none, so sessions have
    /// the same names with and without a cluster.
    fn beside(&self, kind: &str, id: &SessionId) -> String {
        match self.tagged {
            true => [&self.prefix, kind, "{", &self.prefix, id.as_str(), "}"].concat(),
            false => [&self.prefix, kind, id.as_str()].concat(),
        }
    }

    /// The SCAN pattern that matches every key of this store and of no other.
    pub(super) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.prefix.len() + 1);
        for c in self.prefix.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('*');
        pattern
    }

    /// The id in a session's key; `None` if no session of this store has such a name.
    pub(super) fn id(&self, key: &[u8]) -> Option<SessionId> {
        let id = key.strip_prefix(self.prefix.as_bytes())?;
        SessionId::new(std::str::from_utf8(id).ok()?)
    }

    /// The id in a tombstone's key.
    pub(super) fn destroyed(&self, key: &[u8]) -> Option<SessionId> {
        let tag = key.strip_prefix(tombstones(&self.prefix).as_bytes())?;
        let id =
            tag.strip_prefix([b"{", self.prefix.as_bytes()].concat().as_slice()).and_then(|id| id.strip_suffix(b"}"));
        SessionId::new(std::str::from_utf8(id.unwrap_or(tag)).ok()?)
    }

    /// Whether a key found by [`KeyNames::pattern`] is a session.
    pub(super) fn is_session(&self, key: &[u8]) -> bool {
        key.len() > self.prefix.len() && !key[self.prefix.len()..].contains(&b':')
    }
}

/// A user as written in keys, envelopes and scripts: everything but `A-Z a-z 0-9 - _ . @` as `%XX`.
pub(super) fn encode_user(user: &str) -> String {
    let mut encoded = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_distinguished_from_tombstones_and_indexes() {
        let keys = KeyNames::new("app:session:".into());
        let id = SessionId::new("a-1").unwrap();
        assert_eq!(keys.session(&id), "app:session:a-1");
        assert!(keys.is_session(keys.session(&id).as_bytes()));
        assert!(!keys.is_session(keys.tombstone(&id).as_bytes()));
        assert!(!keys.is_session(keys.user_index("a-1").as_bytes()));
        for keys in [keys, KeyNames::for_cluster("app:session:".into()).unwrap()] {
            assert_eq!(keys.destroyed(keys.tombstone(&id).as_bytes()), Some(id.clone()));
            assert_eq!(keys.destroyed(keys.session(&id).as_bytes()), None);
        }
    }

    #[test]
    fn in_a_cluster_everything_of_a_session_is_in_its_slot_and_the_session_is_named_as_outside() {
        let id = SessionId::new("a-1").unwrap();
        for prefix in ["session:", "", "{app}:session:", "x{app}"] {
            let keys = KeyNames::for_cluster(prefix.into()).unwrap();
            assert_eq!(keys.session(&id), format!("{prefix}a-1"));
            let at = slot::of(keys.session(&id).as_bytes());
            for key in [keys.tombstone(&id), keys.staging(&id)] {
                assert_eq!(slot::of(key.as_bytes()), at, "{key}");
                assert!(!keys.is_session(key.as_bytes()), "{key}");
            }
        }
    }

    #[test]
    fn a_prefix_that_would_spoil_the_tag_is_refused() {
        for prefix in ["a{b:", "a}b:", "{}a:", "}{"] {
            assert!(KeyNames::for_cluster(prefix.into()).is_none(), "{prefix}");
        }
    }

    #[test]
    fn a_prefix_with_wildcards_matches_itself_only() {
        assert_eq!(KeyNames::new("a*[b]?:".into()).pattern(), "a\\*\\[b\\]\\?:*");
    }

    #[test]
    fn a_user_is_encoded_without_quotes_backslashes_or_colons() {
        assert_eq!(encode_user("ada@x.org"), "ada@x.org");
        assert_eq!(encode_user("a\"b\\c:d é%"), "a%22b%5Cc%3Ad%20%C3%A9%25");
    }
}
