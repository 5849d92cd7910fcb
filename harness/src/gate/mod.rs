//! Limits: something measurable, a comparison and a quantity, written as `"during.errors" = "<= 1%"`. A scenario's
//! gates limit [metrics](crate::metric), its claims limit [microbenchmarks](crate::microbench); [`Limits`] parses both.

mod limit;
mod spec;

pub use limit::{Dimension, Limit};
pub use spec::{LimitError, LimitSpec, Limits, Measurable};
