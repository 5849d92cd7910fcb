//! Faults of a cluster: what happens among its nodes while clients use them.

mod migrate_slots;

pub use migrate_slots::MigrateSlots;
pub(super) use migrate_slots::MigrateSlotsFault;
