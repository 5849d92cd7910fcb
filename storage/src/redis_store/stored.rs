//! A session as Redis has it.

use crate::lineage::Lineage;
use crate::session::Session;

/// A stored session as it was read.
pub(crate) struct Stored<D> {
    pub(super) session: Session<D>,
    pub(super) lineage: Lineage,
    /// The user as in the value, which names the user's index; empty for no user.
    pub(super) user: String,
}
