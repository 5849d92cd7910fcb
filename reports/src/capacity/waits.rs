//! What operations may have waited for, beside processors.

use serde::{Deserialize, Serialize};

/// The network path to the first Redis, without load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NetworkPath {
    /// A PING there and back (median), milliseconds.
    pub ping_ms: f64,
    /// Bytes per second that one connection carried in its slower direction, at least; absent if bytes took no time of their own.
    pub carries: Option<f64>,
}

/// What was sampled and counted in a step. Each is absent where nothing tells, such as the process of a Redis that runs elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// The share of the time in which a signal had stopped the first Redis.
    pub redis_stopped: Option<f64>,
    /// The share of the time in which its main thread was blocked in a system call other than those that wait for clients.
    pub redis_blocked: Option<f64>,
    /// The call in which it was blocked most often, such as `fdatasync`.
    pub redis_blocked_in: Option<String>,
    /// Writes to an append-only file that waited for an fsync.
    pub delayed_fsyncs: Option<u64>,
    /// Connections of the target to Redis at the end.
    pub redis_clients: Option<u64>,
    /// Commands per second that Redis executed, of all servers.
    pub redis_commands: Option<f64>,
    /// Bytes per second that went to Redis or came from it, whichever is more; of several servers, of the busiest.
    pub flow: Option<f64>,
    /// Cores that this process, the generator, used beside an application; absent without one.
    pub generator_cores: Option<f64>,
    /// The share of the time in which a CPU quota held the application back.
    pub application_throttled: Option<f64>,
    /// The share of the time in which a signal had stopped it.
    pub application_stopped: Option<f64>,
}
