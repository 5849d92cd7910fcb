//! What decides when an operation is sent: the clock (open loop), the answer before it (closed loop), or nothing but a free
//! lane (list).

pub(in crate::load) mod closed;
pub(in crate::load) mod list;
pub(in crate::load) mod open;
