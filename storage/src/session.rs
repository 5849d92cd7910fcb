//! A session as stores return it, its id and its version.

use serde::{Deserialize, Serialize};

/// A session's id: 1 to 128 bytes of `A-Z a-z 0-9 - _`, so that it fits in a key, a URL and a log line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SessionId(std::sync::Arc<str>);

impl SessionId {
    /// Checks an id; `None` if a character or the length is not allowed.
    pub fn new(id: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (!id.is_empty() && id.len() <= 128 && id.bytes().all(allowed)).then(|| Self(id.into()))
    }

    /// A fresh random id (UUID v4).
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string().into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.as_str().to_owned()
    }
}

impl TryFrom<String> for SessionId {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        Self::new(&id).ok_or("a session id is 1 to 128 bytes of A-Z a-z 0-9 - _")
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts the writes of one session: 1 after create, one more with every write. It never decreases, even across
/// fallback and drain. A session created again under a destroyed session's id continues above it, as long as that one
/// is remembered.
pub type Version = u64;

/// A session as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Session<D> {
    /// The version of this data.
    pub version: Version,
    /// The data.
    pub data: D,
}
