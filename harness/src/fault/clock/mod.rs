//! Time faults: hours pass in an instant, or only the application's clock goes wrong.

mod bounds;
pub(super) mod jump;
pub(super) mod skew;
