//! The targets that a scenario can name, each a file or a folder and a line in the [`registry`].

mod attempts;
pub mod defect;
mod description;
pub mod driver;
pub mod http;
pub mod kind;
mod null;
pub mod own;
pub mod redis;
pub mod registry;
mod settings;
mod site;
pub mod store;
mod walked;
mod wiring;

/// The sockets of a store: a few, however many users it has.
const FEW_SOCKETS: u64 = 16;

pub use defect::{Defect, Planted};
pub use description::{
    AnswerSpec, AppSpec, ComposeSpec, ConnectedSpec, Description, ExtractSpec, OpSpec, OpsSpec, RefusedSpec, StepSpec,
};
pub use driver::{Driver, Generator, Job};
pub use kind::{Flaw, Kind, LaunchSite, Unfit};
pub use null::NullTarget;
pub use own::{Factory, IntoTarget};
pub use registry::TargetKind;
pub use settings::{BreakerSpec, DeploySpec, EncryptionSpec, FinalReads, StoreSpec, UpdateMode};
pub use site::Site;
pub use walked::{Act, Exchange, Seen, Walk, Witness};
pub use wiring::{Carries, CommandSpec, Protocol, RedisTargetSpec, UnixSocket, Words};
