//! Defects that the store once had (docs/storage.md), each planted again at the place where it was fixed. The simulator
//! plants one at a time and has to find it. Without the feature `defects` there are none, at no cost.

/// One kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A version number is taken for lineage.
    Lineage = 1,
    /// Destroys by other processes are not noticed.
    Deaf,
    /// A reply from Redis is committed even if the session has changed in between.
    Late,
    /// A panic of a user's merge is not caught.
    Panic,
    /// Filling memory keeps its place across connections.
    Cursor,
    /// The bound of memory is divided over its shards.
    Bound,
    /// A refusal of memory's is returned after Redis may have carried out the call.
    Certain,
    /// Each step of a call has the whole of its time.
    Deadline,
    /// A read in the outage slides the lifetime of a session that does not slide.
    Slide,
    /// A session that cannot be decrypted at present is given up.
    Undecryptable,
    /// An older read makes a copy after something newer was heard without one.
    ColdRace,
    /// Of two updates over one version the one made in memory replaces the one that Redis took.
    TwoUpdates,
    /// A read that is older than the copy is given the copy's version.
    OldRead,
    /// An append that is heard leaves the tombstone of the session before it.
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

    /// The kind of failure it is an instance of, as docs/storage.md numbers them.
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

    /// Puts a defect back into every store of this process, in place of any other.
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
