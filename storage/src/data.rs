//! The data of a session. The store does not understand the data, except for four things that only the data itself
//! knows: how to append one item, where in its JSON that item goes (so that a server can add it without moving the
//! rest), how to merge two diverged copies, and whether it contains its own id.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Serialize, de::DeserializeOwned};

use crate::planted;
use crate::session::SessionId;

/// The data of a session. Its JSON must be an object. Cloning should be cheap (share what does not change), because a
/// fallback keeps a warm copy of what it reads.
pub trait SessionData: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// What [`append`](crate::AppendStore::append) adds, such as an answer or a message.
    type Item: Clone + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// Where an item goes in the JSON, if the list of items comes last: then an append sends only the item over the
    /// wire. `None`: an append reads, changes and writes back by version.
    const SPLICE: Option<Splice> = None;

    /// Adds one item and returns whether it was added. Must be idempotent if items have an identity: an item that is
    /// already there (resent, though its first attempt took effect) is not added twice.
    fn append(&mut self, item: Self::Item) -> bool;

    /// The text that identifies an item's JSON in the list of items, if items have an identity: the server searches for
    /// it before it splices. It must appear in the JSON of this item and of no other. Used only with
    /// [`SPLICE`](SessionData::SPLICE).
    fn item_mark(item: &Self::Item) -> Option<String> {
        let _ = item;
        None
    }

    /// The user this session belongs to, for [`list_by_user`](crate::SessionStore::list_by_user). `None`: not indexed.
    fn user(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// When the session was made, for an absolute timeout ([`Limits::absolute`](crate::Limits::absolute)). `None`: there is
    /// none.
    fn made_at(&self) -> Option<SystemTime> {
        None
    }

    /// The session has this id from now on ([`rename`](crate::SessionStore::rename)): for data that contains its own
    /// id. The default changes nothing.
    fn renamed(&mut self, to: &SessionId) {
        let _ = to;
    }

    /// Merges `other` (the older or foreign copy) into `self` (the newer one) and reports what could not be kept. The
    /// default keeps `self` and reports `other` as lost.
    fn merge(&mut self, other: Self) -> MergeReport {
        let _ = other;
        MergeReport { lost: 1, ..MergeReport::default() }
    }
}

/// How to find the list of items at the end of the JSON, as `serde_json` writes it (no white space).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// What opens the list, including its key: `"answers":[`. It must not appear anywhere else in the JSON. Inside a
    /// string it cannot, because quotes are escaped there.
    pub opener: &'static str,
    /// What follows the last item at the end of the JSON: `]}`.
    pub tail: &'static str,
}

/// What a [`merge`](SessionData::merge) did with the other copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Items taken over from the other copy.
    pub united: u64,
    /// Items (or whole copies) of the other side that could not be kept.
    pub lost: u64,
    /// Claims in this copy that gave way to the other's. Nobody was told that one of them holds, unless Redis has lost what it
    /// had acknowledged.
    pub refused: u64,
}

impl MergeReport {
    /// What it cost: the refused claims too if Redis may have lost what it had acknowledged (`lossy`).
    pub(crate) fn counted(self, lossy: bool) -> Self {
        let certain = if lossy { self.refused } else { 0 };
        Self { lost: self.lost + certain, refused: 0, ..self }
    }
}

/// The data of a session that has this id from now on; unchanged if user code panics.
pub(crate) fn renamed<D: SessionData>(data: D, to: &SessionId) -> D {
    let mut next = data.clone();
    guarded(|| {
        next.renamed(to);
        next
    })
    .unwrap_or(data)
}

/// Runs the data's own code on data of its own; `None`: it panicked.
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Option<T> {
    if planted::seam!(lets_merges_panic) {
        return Some(code());
    }
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(code));
    done.map_err(|_| {
        tracing::error!("the session data's own code panicked: what it was about to change stays as it was")
    })
    .ok()
}
