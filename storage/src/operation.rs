//! An operation on one session as a value, so that it can be carried out in Redis, in the fallback, or in both.

use crate::data::SessionData;
use crate::store::{Session, Version};

pub(crate) enum Operation<D: SessionData> {
    Create(D),
    Get,
    Put(D),
    Update(Version, D),
    Append(D::Item),
    Touch,
    Destroy,
}

/// What an operation found and left.
pub(crate) struct Answer<D> {
    /// Whether there was a session, or is one now.
    pub(crate) found: bool,
    /// The version after the operation, a tombstone's after destroy; 0 where the operation does not tell.
    pub(crate) version: Version,
    /// What a read found.
    pub(crate) data: Option<D>,
}

impl<D> Answer<D> {
    /// There is no such session.
    pub(crate) fn absent() -> Self {
        Self { found: false, version: 0, data: None }
    }

    /// The session is at this version now, or was destroyed at it.
    pub(crate) fn at(version: Version) -> Self {
        Self { found: true, version, data: None }
    }

    /// A read found this.
    pub(crate) fn read(session: Option<Session<D>>) -> Self {
        session.map_or_else(Self::absent, |s| Self { found: true, version: s.version, data: Some(s.data) })
    }

    /// Whether there was a session to touch.
    pub(crate) fn touched(found: bool) -> Self {
        Self { found, version: 0, data: None }
    }

    /// The session that a read found.
    pub(crate) fn session(self) -> Option<Session<D>> {
        let version = self.version;
        self.data.map(|data| Session { version, data })
    }
}
