//! Gates: limits with a verdict. A gate is written as `"<phase>.<metric>" = "<= 1%"`; [`GateSpec::parse`] reads it,
//! [`judge`] holds it against what a drill measured.

mod judge;
mod limit;
mod spec;

pub use judge::{Actual, judge};
pub use limit::{Dimension, Limit};
pub use spec::{AboutFaults, GateError, GateSpec, Latency, Metric, Phase};
