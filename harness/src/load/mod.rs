//! The load: what is asked of the target, when, and how it is carried out and recorded.
//!
//! A [`LoadPlan`] says everything beforehand and does no I/O: the same seed gives the same operations whatever the
//! number of workers. An [`Engine`] carries a plan out on one thread per core and hands what it recorded over once per
//! interval. Every latency counts from the planned instant, so a target that stalls cannot hide its stall by keeping
//! the generator waiting.

mod alarm;
mod arrivals;
mod closed;
mod engine;
mod ids;
mod keys;
mod lane;
mod list;
mod open;
mod plan;
mod recorder;
mod script;
mod show;
mod stop;
mod summary;
mod validate;
mod worker;

pub use arrivals::{ArrivalProcess, Arrivals, Stage};
pub use engine::{Engine, LoadError};
pub use ids::{session_id, session_no};
pub use keys::Keys;
pub use plan::{LoadBlock, LoadPlan, Mix, Pacing, Payload, Planned, SessionRange, Think};
pub use recorder::{Counts, IntervalBatch, Recorder};
pub use script::{OpenStream, UserStream};
pub use show::{BlockSummary, PlanSummary};
pub use stop::StopToken;
pub use summary::{LoadSummary, Saturation, WorkerSummary};
pub use validate::PlanError;
