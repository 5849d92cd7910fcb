//! Faults of the data: a share of the drill's own sessions is deleted or spoilt behind the store's back. No other key is
//! ever touched.

pub(super) mod corrupt;
pub(super) mod delete;
mod picked;
