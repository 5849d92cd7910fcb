//! The data of the simulated sessions: numbered items, each written once, so that every item identifies its write.

use std::borrow::Cow;
use std::cell::Cell;

use firedrill_storage::{MergeReport, SessionData, Splice};
use serde::{Deserialize, Serialize};

/// The text of a panic that the schedule asked for.
pub const PANIC: &str = "a merge panics, as the schedule asks";

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
    static UNITES: Cell<bool> = const { Cell::new(true) };
}

/// Whether merges on this thread combine both copies, or keep the newer one and report the other's items as lost. Also
/// cancels requested panics.
pub fn set_up(unites: bool) {
    UNITES.set(unites);
    PANICS.set(0);
}

/// Makes the next merge on this thread panic half-way.
pub fn panic_once() {
    PANICS.set(PANICS.get() + 1);
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    user: String,
    items: Vec<Item>,
}

/// One item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its number.
    pub n: u64,
}

impl Items {
    /// A user's session.
    pub fn new(user: impl Into<String>, items: &[u64]) -> Self {
        Self { user: user.into(), items: items.iter().map(|n| Item { n: *n }).collect() }
    }

    /// The numbers of its items, in order.
    pub fn numbers(&self) -> Vec<u64> {
        self.items.iter().map(|item| item.n).collect()
    }
}

impl SessionData for Items {
    type Item = Item;

    const SPLICE: Option<Splice> = Some(Splice { opener: "\"items\":[", tail: "]}" });

    fn append(&mut self, item: Item) -> bool {
        let new = !self.items.contains(&item);
        if new {
            self.items.push(item);
        }
        new
    }

    fn item_mark(item: &Item) -> Option<String> {
        Some(format!("\"n\":{}}}", item.n))
    }

    fn user(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.user))
    }

    fn merge(&mut self, other: Self) -> MergeReport {
        let missing: Vec<Item> = other.items.into_iter().filter(|item| !self.items.contains(item)).collect();
        if let Some(left) = PANICS.get().checked_sub(1) {
            PANICS.set(left);
            self.items.extend(missing.first());
            std::panic::panic_any(PANIC);
        }
        let count = missing.len() as u64;
        if !UNITES.get() {
            return MergeReport { lost: count, ..MergeReport::default() };
        }
        // The other copy's items are older, or were written at the same time.
        self.items.splice(0..0, missing);
        MergeReport { united: count, ..MergeReport::default() }
    }
}
