//! Health in the forms that the reference systems expect: T13 for the whole service, S4 for Redis alone, R1 for a
//! connection manager. None of them contains an address or a credential.

use serde::Serialize;

use crate::store::{Health, HealthStatus};

/// The health of a service with this store.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthReport {
    storage: &'static str,
    degraded: bool,
    health: Health,
}

/// T13, with S4's data inside.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceHealth {
    /// `ok`, `degraded` or `unavailable`.
    pub status: &'static str,
    /// `redis` or `memory`.
    pub storage: &'static str,
    /// `connected` or `disconnected`: whether Redis answered just now.
    pub redis: &'static str,
    /// Whether memory answers instead of Redis.
    pub fallback_mode: bool,
    /// Redis in detail; absent if sessions live in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_health: Option<RedisHealth>,
}

/// S4's `data`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedisHealth {
    /// `connected`, `degraded` (it answers, but refuses writes, or the fallback is still active) or `disconnected`.
    pub status: &'static str,
    /// Round trip of the PING.
    pub latency_ms: Option<f64>,
    /// Memory in use at the server, in bytes.
    pub memory_usage: Option<u64>,
    /// Seconds since the server started.
    pub uptime: Option<u64>,
    /// What is wrong, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// R1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionHealth {
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: &'static str,
    /// How long the server took to answer.
    pub response_time: Option<f64>,
}

impl HealthReport {
    pub(crate) fn new(storage: &'static str, degraded: bool, health: Health) -> Self {
        Self { storage, degraded, health }
    }

    /// Whether requests are answered at all.
    pub fn is_serving(&self) -> bool {
        self.health.status != HealthStatus::Disconnected
    }

    /// Whether Redis answered just now.
    pub fn is_redis_connected(&self) -> bool {
        self.health.latency.is_some()
    }

    /// The whole service (T13).
    pub fn service(&self) -> ServiceHealth {
        let status = match self.health.status {
            HealthStatus::Disconnected => "unavailable",
            HealthStatus::Degraded => "degraded",
            HealthStatus::Connected if self.degraded => "degraded",
            HealthStatus::Connected => "ok",
        };
        ServiceHealth {
            status,
            storage: self.storage,
            redis: if self.is_redis_connected() { "connected" } else { "disconnected" },
            fallback_mode: self.degraded,
            redis_health: (self.storage == "redis").then(|| self.redis()),
        }
    }

    /// Redis alone (S4).
    pub fn redis(&self) -> RedisHealth {
        let status = match (self.is_redis_connected(), self.health.status) {
            (false, _) => "disconnected",
            (true, HealthStatus::Connected) => "connected",
            (true, _) => "degraded",
        };
        RedisHealth {
            status,
            latency_ms: self.response_time(),
            memory_usage: self.health.memory,
            uptime: self.health.uptime.map(|uptime| uptime.as_secs()),
            reason: self.health.reason.clone(),
        }
    }

    /// The connection (R1).
    pub fn connection(&self) -> ConnectionHealth {
        let status = match self.redis().status {
            "connected" => "healthy",
            "degraded" => "degraded",
            _ => "unhealthy",
        };
        ConnectionHealth { status, response_time: self.response_time() }
    }

    fn response_time(&self) -> Option<f64> {
        self.health.latency.map(|latency| latency.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn a_redis_that_is_well_in_every_shape() {
        let health = Health {
            memory: Some(1_024),
            uptime: Some(Duration::from_secs(60)),
            latency: Some(Duration::from_micros(500)),
            ..Health::default()
        };
        let report = HealthReport::new("redis", false, health);
        let redis = json!({"status": "connected", "latencyMs": 0.5, "memoryUsage": 1_024, "uptime": 60});
        assert_eq!(to_value(report.redis()).unwrap(), redis);
        let service = json!({
            "status": "ok", "storage": "redis", "redis": "connected", "fallbackMode": false, "redisHealth": redis,
        });
        assert_eq!(to_value(report.service()).unwrap(), service);
        assert_eq!(to_value(report.connection()).unwrap(), json!({"status": "healthy", "responseTime": 0.5}));
    }

    #[test]
    fn an_active_fallback_and_a_redis_that_is_away() {
        let health = Health { status: HealthStatus::Degraded, ..Health::disconnected("connection refused") };
        let report = HealthReport::new("redis", true, health);
        let service = report.service();
        assert_eq!((service.status, service.redis, service.fallback_mode), ("degraded", "disconnected", true));
        assert_eq!(report.redis().status, "disconnected");
        assert_eq!(report.connection().status, "unhealthy");
        assert!(report.is_serving());
    }

    #[test]
    fn memory_instead_of_redis_is_degraded_and_memory_on_request_is_not() {
        assert_eq!(HealthReport::new("memory", true, Health::default()).service().status, "degraded");
        let forced = HealthReport::new("memory", false, Health::default()).service();
        assert_eq!((forced.status, forced.redis, forced.redis_health), ("ok", "disconnected", None));
    }
}
