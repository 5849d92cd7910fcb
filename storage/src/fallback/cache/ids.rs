//! The other ids of a session that was given a new one.

use crate::store::SessionId;

/// The other ids of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Ids {
    /// It has none that matter.
    #[default]
    One,
    /// Redis may have it under these ids, which it had before.
    Before(Vec<SessionId>),
    /// It has this id by now.
    Now(SessionId),
}

impl Ids {
    /// The ids under which Redis may have the session as well.
    pub(super) fn before(&self) -> &[SessionId] {
        match self {
            Ids::Before(ids) => ids,
            Ids::One | Ids::Now(_) => &[],
        }
    }

    /// The id that the session has by now.
    pub(super) fn now(&self) -> Option<&SessionId> {
        match self {
            Ids::Now(id) => Some(id),
            Ids::One | Ids::Before(_) => None,
        }
    }

    /// The same after one more rename, from this id.
    pub(super) fn and(&self, from: &SessionId) -> Self {
        let others = self.before().iter().filter(|id| *id != from);
        Ids::Before(others.chain([from]).cloned().collect())
    }
}
