//! What decides when an operation is sent: the clock (open loop), the previous reply (closed loop), or just a free lane
//! (list).

pub(in crate::load) mod closed;
pub(in crate::load) mod list;
pub(in crate::load) mod open;
