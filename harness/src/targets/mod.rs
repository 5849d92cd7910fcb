//! The targets that a scenario can name, each a file or a folder and a line in the [`registry`].

pub mod app;
mod attempts;
pub mod defect;
pub mod driver;
pub mod kind;
mod null;
pub mod own;
pub mod redis;
pub mod registry;
mod settings;
mod site;
pub mod store;

/// The sockets of a store: a few, however many users it has.
const FEW_SOCKETS: u64 = 16;

pub use defect::{Defect, Planted};
pub use driver::{Driver, Generator, Job};
pub use kind::{Kind, Unfit};
pub use null::NullTarget;
pub use own::{Factory, IntoTarget};
pub use registry::TargetKind;
pub use settings::{BreakerSpec, DeploySpec, EncryptionSpec, FinalReads, StoreSpec, UpdateMode};
pub use site::Site;
