//! The application as it is drilled: over HTTP, with its process in the harness's hands. What it does inside (its fallback
//! taking over, its draining) is read from what it counts on `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use firedrill_storage::Policy;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::collector::Notes;
use super::driven::Drilled;
use super::error::DrillError;
use super::told::Told;
use crate::clock::Clock;
use crate::lab::AppProcess;
use crate::target::{AppTarget, Target, app};

/// How long the application may take to answer how it is.
const HEALTH_DEADLINE: Duration = Duration::from_secs(1);

/// How long a restarted application may take to reach Redis before it is read all the same.
const READY_DEADLINE: Duration = Duration::from_secs(10);

/// Drives the application and can start it anew.
pub struct DrilledApp {
    target: AppTarget,
    process: Arc<AppProcess>,
    runtime: Handle,
    told: Arc<Told>,
    /// It was told to keep its sessions in memory, and has no Redis to wait for.
    in_memory: bool,
}

impl DrilledApp {
    /// The application that runs as `process` under `policy`. What happens inside it goes to `notes`, gathered on `runtime`.
    pub fn new(process: Arc<AppProcess>, policy: Policy, notes: Notes, runtime: Handle) -> Self {
        let target = AppTarget::new(process.address(), process.requests().clone());
        let told = Arc::new(Told::listen(process.address(), notes, &runtime));
        Self { target, process, runtime, told, in_memory: policy == Policy::Memory }
    }

    async fn is_connected(&self) -> bool {
        let answer = app::ask(self.process.address(), "/health/redis", HEALTH_DEADLINE).await;
        let health = answer.and_then(|(_, body)| serde_json::from_slice::<RedisHealth>(&body).ok());
        health.is_some_and(|health| health.data.status == "connected")
    }

    async fn ready(&self) {
        let deadline = Instant::now() + READY_DEADLINE;
        while !self.settled().await && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Target for DrilledApp {
    type Client = <AppTarget as Target>::Client;

    fn client(&self) -> Self::Client {
        self.target.client()
    }
}

/// S4's answer about Redis, as far as it matters here.
#[derive(Deserialize)]
struct RedisHealth {
    data: RedisStatus,
}

#[derive(Deserialize)]
struct RedisStatus {
    status: String,
}

impl Drilled for DrilledApp {
    async fn settled(&self) -> bool {
        self.in_memory || self.is_connected().await
    }

    fn load_begins(&self, _: Clock) {}

    async fn connected(&self) -> Option<bool> {
        match self.in_memory {
            true => None,
            false => Some(self.is_connected().await),
        }
    }

    fn rebuilt(&self) -> Result<Self, DrillError> {
        self.runtime.block_on(async {
            self.told.ask().await;
            self.process.renew().await?;
            self.ready().await;
            Ok(Self {
                target: self.target.clone(),
                process: self.process.clone(),
                runtime: self.runtime.clone(),
                told: self.told.clone(),
                in_memory: self.in_memory,
            })
        })
    }
}
