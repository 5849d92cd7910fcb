//! The search for a service's capacity: the highest rate at which it still meets its objectives, its *knee*.
//!
//! [`Search`] is a pure state machine. It asks for steps of load ([`Search::next_trial`]), is told what they measured
//! ([`Search::tell`]), and answers at any time ([`Search::answer`]). It has no clock, no threads and no I/O; one seed
//! determines all of its choices.
//!
//! 1. **Ceiling**: what the load generator itself can deliver, on a target that answers at once.
//! 2. **Climb**: double the rate until a step fails twice.
//! 3. **Bracket**: bisect between the last pass and the first failure.
//! 4. **Repeat**: steps around the knee, in random order, until its 90 % interval is narrow enough.
//!
//! The highest rate at which whole drills pass is searched by [`Survival`]. What memory sessions take is the module [`memory`].
//!
//! A step passes, fails or stays undecided ([`judge`](verdict::judge)); each is evidence for the knee
//! ([`posterior::Posterior`]).

mod answer;
mod backlog;
mod bootstrap;
mod bracket;
mod drift;
mod headroom;
mod measured;
pub mod memory;
pub mod posterior;
mod search;
mod settings;
mod sizing;
mod survival;
mod usl;
pub mod verdict;

pub use answer::{Answer, Knee, Unknown};
pub use bootstrap::{Estimate, share};
pub use drift::{Drift, drift};
pub use headroom::{HeadRoom, head_room};
pub use measured::{Count, Measured, Second};
pub use search::{Phase, Search, Step, Subject, Trial};
pub use settings::{Objective, Settings};
pub use sizing::{Demand, NodeLimits, Sized, size};
pub use survival::{Outcome, Survivable, Survival, SurvivalSettings};
pub use usl::{Point, Scalability, scalability};
pub use verdict::{Doubt, Failing, Judged, Verdict};
