//! Limits: something measurable, a comparison and a quantity, written as `"during.errors" = "<= 1%"`. A scenario's gates
//! limit [metrics](crate::metric), its claims [microbenchmarks](crate::microbench), its situations how often
//! [something](crate::situation) happened; all are read once, by [`Limits`].

mod limit;
mod spec;

pub use limit::{Dimension, Limit};
pub use spec::{LimitError, LimitSpec, Limits, Measurable};
