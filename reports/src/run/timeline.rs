//! The load over time, in buckets of equal width.

use serde::{Deserialize, Serialize};

use super::OutcomeCounts;

/// The load over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The width of a bucket in milliseconds.
    pub bucket_ms: f64,
    /// The buckets, in order of time, without gaps.
    #[serde(default)]
    pub buckets: Vec<Bucket>,
}

/// One bucket of the timeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its start, on the drill's clock in milliseconds.
    pub from_ms: f64,
    /// Operations planned for it.
    pub planned: u64,
    /// Operations that ended in it, by outcome.
    pub outcomes: OutcomeCounts,
    /// Response times of the operations planned for it, so that a stall shows from its onset; absent if there were
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<BucketLatency>,
    /// The largest number of operations in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
}

/// Response times in one bucket, in milliseconds, from the planned instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BucketLatency {
    /// The median.
    pub p50: f64,
    /// 95 % are at most this.
    pub p95: f64,
    /// 99 % are at most this.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl From<super::Quantiles> for BucketLatency {
    fn from(all: super::Quantiles) -> Self {
        Self { p50: all.p50, p95: all.p95, p99: all.p99, max: all.max }
    }
}

/// Memory, CPU, the connection to Redis and running counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceSample {
    /// The time, on the drill's clock in milliseconds.
    pub at_ms: f64,
    /// Resident memory of the driven process, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_rss_bytes: Option<u64>,
    /// Redis's `used_memory`, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis_used_memory_bytes: Option<u64>,
    /// CPU time used by the driven process since its start, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_cpu_ms: Option<u64>,
    /// CPU time used by Redis since its start, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis_cpu_ms: Option<u64>,
    /// Whether the target reported a connection to Redis; absent if it does not report one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<bool>,
    /// Attempts to connect to Redis so far, by the target's count; absent if it does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_attempts: Option<u64>,
    /// Connections from the target to Redis that are open now, by the fault proxy's count; absent without such a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_open: Option<u64>,
    /// Connections from the target to Redis so far, by the fault proxy's count; absent without such a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_accepted: Option<u64>,
    /// Lines that the application has written so far to its log and its output; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lines: Option<u64>,
}
