//! Samples memory and CPU while the load runs: of the driven process (the application's, else this one, in which the store
//! lives) and of Redis; and asks the target whether it is connected.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_reports::run::ResourceSample;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::driven::Drilled;
use crate::clock::Clock;
use crate::lab::{AppProcess, Lab, RedisInfo, ServerProcess, procfs};

const PERIOD: Duration = Duration::from_millis(500);

struct Sample {
    at: Instant,
    rss: Option<u64>,
    cpu: Option<u64>,
    redis: Option<RedisInfo>,
    connected: Option<bool>,
}

/// A watch that is running.
pub struct Watch {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<Sample>>,
}

impl Watch {
    /// Begins to sample `target`, which runs as `app` where that is given, and its Redis.
    pub fn start<T: Drilled>(runtime: &Runtime, lab: Arc<Lab>, app: Option<Arc<AppProcess>>, target: Arc<T>) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = runtime.spawn(async move {
            let mut samples = Vec::new();
            loop {
                // An application that is dead has no figures; nor has a Redis that is.
                let pid = app.as_ref().map_or(Some(std::process::id()), |app| app.pid());
                let at = Instant::now();
                let (rss, cpu) = (pid.and_then(procfs::resident_bytes), pid.and_then(procfs::cpu_ms));
                let (redis, connected) = tokio::join!(lab.info(), target.connected());
                samples.push(Sample { at, rss, cpu, redis: redis.ok(), connected });
                tokio::select! {
                    _ = &mut stopped => return samples,
                    () = tokio::time::sleep(PERIOD) => {}
                }
            }
        });
        Self { stop, task }
    }

    /// Ends it and tells what it saw, on the drill's clock.
    pub fn finish(self, runtime: &Runtime, clock: &Clock) -> Vec<ResourceSample> {
        let _ = self.stop.send(());
        let samples = runtime.block_on(self.task).unwrap_or_default();
        let sample = |sample: Sample| ResourceSample {
            at_ms: clock.at(sample.at) as f64 / 1e6,
            process_rss_bytes: sample.rss,
            redis_used_memory_bytes: sample.redis.as_ref().map(|redis| redis.used_memory),
            process_cpu_ms: sample.cpu,
            redis_cpu_ms: sample.redis.as_ref().map(|redis| redis.cpu_ms),
            connected: sample.connected,
        };
        samples.into_iter().map(sample).collect()
    }
}
