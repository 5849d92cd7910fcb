//! The load: what is asked of the target, when, and how it is carried out and recorded.
//!
//! A [`LoadPlan`] says everything beforehand and does no I/O: the same seed gives the same operations whatever the
//! number of workers. An engine carries a plan out on one thread per core and hands what it recorded over once per
//! interval. Every latency counts from the planned instant, so a target that stalls cannot hide its stall by keeping
//! the generator waiting.

mod arrivals;
mod keys;
mod plan;
mod script;
mod show;
mod validate;

pub use arrivals::{ArrivalProcess, Arrivals, Stage};
pub use keys::Keys;
pub use plan::{LoadBlock, LoadPlan, Mix, Pacing, Payload, Planned, SessionRange, Think, session_id};
pub use script::{OpenStream, UserStream};
pub use show::{BlockSummary, PlanSummary};
pub use validate::PlanError;
