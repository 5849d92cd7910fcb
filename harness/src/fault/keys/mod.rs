//! Data faults: a share of the drill's own sessions is deleted, or holds another value, behind the store's back. Other keys
//! are never touched.

mod changed;
pub(super) mod corrupt;
pub(super) mod delete;
mod picked;
pub(super) mod plain;
mod stand_in;
pub(super) mod swap;
