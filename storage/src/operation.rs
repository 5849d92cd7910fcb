//! An operation on one session as a value, so that it can run in Redis, in the fallback, or in both.

use std::time::Duration;

use crate::data::SessionData;
use crate::lineage::Lineage;
use crate::store::{Session, SessionId, Version};

pub(crate) enum Operation<D: SessionData> {
    Create(D),
    Get,
    /// A read that does not slide.
    Peek,
    Put(D),
    Update(Version, D),
    Append(D::Item),
    Touch,
    Rename(SessionId),
    Destroy,
}

impl<D: SessionData> Operation<D> {
    /// Whether it is to change the session itself, not only how long it lives.
    pub(crate) fn is_write(&self) -> bool {
        !self.is_read() && !matches!(self, Operation::Touch)
    }

    /// Whether it asks for the session.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Operation::Get | Operation::Peek)
    }
}

/// What an operation found and left.
pub(crate) struct Answer<D> {
    /// Whether there was a session, or is one now.
    pub(crate) found: bool,
    /// The version after the operation, or the tombstone's after a destroy; 0 if the operation does not say.
    pub(crate) version: Version,
    /// What a read found.
    pub(crate) data: Option<D>,
    /// The lineage of the state that was found or left, as far as known.
    pub(crate) lineage: Lineage,
    /// The session's remaining lifetime, if a read did not slide it.
    pub(crate) lives: Option<Duration>,
}

impl<D> Answer<D> {
    /// There is no such session.
    pub(crate) fn absent() -> Self {
        Self { found: false, version: 0, data: None, lineage: Lineage::default(), lives: None }
    }

    /// The session is now at this version, or was destroyed at it.
    pub(crate) fn at(version: Version) -> Self {
        Self { found: true, version, ..Self::absent() }
    }

    /// A read found this.
    pub(crate) fn read(session: Option<Session<D>>) -> Self {
        session.map_or_else(Self::absent, |s| Self { data: Some(s.data), ..Self::at(s.version) })
    }

    /// Whether there was a session to touch.
    pub(crate) fn touched(found: bool) -> Self {
        Self { found, ..Self::absent() }
    }

    /// Adds the lineage of the state that was found or left.
    pub(crate) fn of(self, lineage: Lineage) -> Self {
        Self { lineage, ..self }
    }

    /// The session that a read found.
    pub(crate) fn session(self) -> Option<Session<D>> {
        let version = self.version;
        self.data.map(|data| Session { version, data })
    }
}
