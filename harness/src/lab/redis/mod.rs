//! The Redis of a lab: where it runs (a child process, a container, somewhere else) and, for child processes, how.

mod binary;
mod cluster;
mod container;
pub mod directives;
#[cfg(feature = "docker")]
mod docker;
mod external;
mod file_limit;
mod managed;
#[cfg(not(feature = "docker"))]
mod no_docker;
mod replica;
mod replicas;
mod sentinel;
mod slots;
mod standalone;
mod tls;
mod topology;
mod topology_kind;

pub use binary::{REDIS_SERVER_VARIABLE, RedisBinary, Version, in_path};
pub use container::{DEFAULT_IMAGE, DockerConfig};
#[cfg(feature = "docker")]
pub use docker::{APP_LABEL, Containers, DockerRedis, reach_engine, remove_orphans, start as start_container};
pub use external::{Existing, ExternalRedis};
pub use managed::{ManagedConfig, ManagedRedis, ServerRole};
#[cfg(not(feature = "docker"))]
pub use no_docker::{APP_LABEL, Containers, reach_engine, remove_orphans, start as start_container};
pub use sentinel::Sentinels;
pub use slots::{Redirections, Slots, Way};
pub use topology::Topology;
pub use topology_kind::{Reached, TopologyKind};
