//! What a session can be about. The store moves data it does not understand, except for two things that only the
//! data itself can know: how one item is appended, and how two diverged copies become one again.

use serde::{Serialize, de::DeserializeOwned};

/// The data of a session.
pub trait SessionData: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// What [`append`](crate::SessionStore::append) adds: an answer, a message.
    type Item: Clone + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// Adds one item. Must be idempotent where items carry an identity: an item that is already there (a resend whose
    /// first attempt took effect after all) is not added twice.
    fn append(&mut self, item: Self::Item);

    /// The user this session belongs to, for [`list_by_user`](crate::SessionStore::list_by_user). `None`: not indexed.
    fn user(&self) -> Option<&str> {
        None
    }

    /// Unites `other` (the older or foreign copy) into `self` (the newer one) and says what could not be kept.
    /// The default keeps `self` and reports `other` as lost.
    fn merge(&mut self, other: Self) -> MergeReport {
        let _ = other;
        MergeReport { united: 0, lost: 1 }
    }
}

/// What became of the losing copy in a [`merge`](SessionData::merge).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Items taken over from the other copy.
    pub united: u64,
    /// Items (or whole copies) of the other side that could not be kept.
    pub lost: u64,
}
