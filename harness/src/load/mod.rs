//! The load: which operations run, when, and how they are sent and recorded.
//!
//! A [`LoadPlan`] fixes everything in advance and does no I/O: the same seed gives the same operations for any number
//! of workers. An [`Engine`] runs a plan on one thread per core and delivers its records once per interval. Every
//! latency counts from the planned instant, so a target that stalls cannot hide the stall by making the generator wait.

mod arrivals;
mod block;
mod engine;
mod key_distribution;
mod lane;
mod pacing;
mod plan;
mod recorder;
mod recording;
mod refusals;
mod routing;
mod script;
mod shift;
mod show;
mod streams;
mod summary;
mod validate;
mod waits;
mod worker;

pub use arrivals::{ArrivalProcess, Arrivals, Stage};
pub use block::{LoadBlock, Mix, Pacing, Payload, Replay, SessionRange, Think};
pub use engine::{Engine, LoadError};
pub use key_distribution::KeyDistribution;
pub use plan::LoadPlan;
pub use recorder::{Counts, IntervalBatch, Recorder};
pub use recording::{Recording, RecordingError};
pub use refusals::Refusals;
pub use routing::{Instances, Routing};
pub use show::{BlockSummary, PlanSummary};
pub use streams::{OpenStream, Planned, UserStream};
pub use summary::{LoadSummary, Saturation, WorkerSummary};
pub use validate::PlanError;
