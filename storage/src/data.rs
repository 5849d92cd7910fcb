//! The data of a session. The store moves data it does not understand, except for three things that only the
//! data itself can know: how one item is appended, where in its JSON that item goes (so that a server can do it without
//! moving the rest), and how two diverged copies become one again.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};

/// The data of a session. Its JSON must be an object. Cloning should be cheap (share what does not change): a fallback
/// keeps a warm copy of what was read.
pub trait SessionData: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// What [`append`](crate::SessionStore::append) adds: an answer, a message.
    type Item: Clone + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// Where an item goes in the JSON, where the list of items is the last thing in it: then an append sends the item
    /// alone over the wire. `None`: an append reads, changes and writes back by version.
    const SPLICE: Option<Splice> = None;

    /// Adds one item and says whether it was added. Must be idempotent where items carry an identity: an item that is
    /// already there (a resend whose first attempt took effect after all) is not added twice.
    fn append(&mut self, item: Self::Item) -> bool;

    /// The text by which an item's JSON is known in the list of items, where items carry an identity: the server looks
    /// for it before it splices. It must stand in the JSON of this item and of no other. Used only with
    /// [`SPLICE`](SessionData::SPLICE).
    fn item_mark(item: &Self::Item) -> Option<String> {
        let _ = item;
        None
    }

    /// The user this session belongs to, for [`list_by_user`](crate::SessionStore::list_by_user). `None`: not indexed.
    fn user(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Unites `other` (the older or foreign copy) into `self` (the newer one) and says what could not be kept.
    /// The default keeps `self` and reports `other` as lost.
    fn merge(&mut self, other: Self) -> MergeReport {
        let _ = other;
        MergeReport { united: 0, lost: 1 }
    }
}

/// How to find the list of items at the end of the JSON, as `serde_json` writes it (no white space).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// What opens the list, key included: `"answers":[`. It must not stand anywhere else in the JSON; inside a string
    /// it cannot, because quotes are escaped there.
    pub opener: &'static str,
    /// What follows the last item up to the end of the JSON: `]}`.
    pub tail: &'static str,
}

/// What became of the losing copy in a [`merge`](SessionData::merge).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Items taken over from the other copy.
    pub united: u64,
    /// Items (or whole copies) of the other side that could not be kept.
    pub lost: u64,
}
