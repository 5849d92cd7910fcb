//! Defects that the store once had (docs/storage.md), each planted again where it was fixed. The simulator plants one
//! at a time and must find it. Without the feature `defects` there are none, at no cost.

/// One kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// The store mistakes a version number for lineage.
    Lineage = 1,
    /// Destroys by other processes are not noticed.
    Deaf,
    /// A reply from Redis is committed even if the session has changed in between.
    Late,
    /// A panic of a user's merge is not caught.
    Panic,
    /// The filling of memory keeps its cursor across connections.
    Cursor,
    /// Memory's capacity is split among its shards.
    Bound,
    /// A refusal by memory is returned although Redis may have carried out the call.
    Certain,
    /// Each step of a call gets the full time of a call.
    Deadline,
    /// A read in the outage slides the lifetime although sliding is off.
    Slide,
    /// A session that cannot be decrypted at present is given up.
    Undecryptable,
    /// An older read makes a copy after a newer reply arrived without making one.
    ColdRace,
    /// Of two updates of one version, the one made in memory replaces the one in Redis.
    TwoUpdates,
    /// A read that is older than the copy gets the copy's version.
    OldRead,
    /// A delayed append leaves the tombstone of the previous session in place.
    Tombstone,
}

impl Defect {
    /// Every defect.
    pub const ALL: [Self; 14] = [
        Self::Lineage,
        Self::Deaf,
        Self::Late,
        Self::Panic,
        Self::Cursor,
        Self::Bound,
        Self::Certain,
        Self::Deadline,
        Self::Slide,
        Self::Undecryptable,
        Self::ColdRace,
        Self::TwoUpdates,
        Self::OldRead,
        Self::Tombstone,
    ];

    /// The kind of failure that it is an example of, as numbered in docs/storage.md.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Lineage => "K1",
            Self::Deaf => "K2",
            Self::Late | Self::Tombstone => "K3",
            Self::Panic => "K4",
            Self::Cursor => "K5",
            Self::Bound => "K6",
            Self::Certain => "K7",
            Self::Deadline => "K8",
            Self::Slide => "K9",
            Self::Undecryptable => "K10",
            Self::ColdRace => "K11",
            Self::TwoUpdates | Self::OldRead => "K12",
        }
    }
}

#[cfg(feature = "defects")]
mod planted {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Defect;

    static PLANTED: AtomicU8 = AtomicU8::new(0);

    /// Puts a defect back into every store of this process, replacing any other.
    pub fn plant(defect: Option<Defect>) {
        PLANTED.store(defect.map_or(0, |defect| defect as u8), Ordering::SeqCst);
    }

    pub(crate) fn has(defect: Defect) -> bool {
        PLANTED.load(Ordering::Relaxed) == defect as u8
    }
}

#[cfg(feature = "defects")]
pub(crate) use planted::has;
#[cfg(feature = "defects")]
pub use planted::plant;

/// Whether the store has this defect.
#[cfg(not(feature = "defects"))]
pub(crate) const fn has(_: Defect) -> bool {
    false
}
