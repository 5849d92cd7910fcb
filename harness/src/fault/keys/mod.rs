//! Data faults: a share of the drill's own sessions is deleted or corrupted behind the store's back. Other keys are
//! never touched.

pub(super) mod corrupt;
pub(super) mod delete;
mod picked;
