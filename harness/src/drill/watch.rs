//! Samples memory while the load runs: of this process, in which the store lives, and of Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_reports::run::ResourceSample;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::lab::Lab;

const PERIOD: Duration = Duration::from_millis(500);

type Sample = (Instant, Option<u64>, Option<u64>);

/// A watch that is running.
pub struct Watch {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<Sample>>,
}

impl Watch {
    /// Begins to sample.
    pub fn start(runtime: &Runtime, lab: Arc<Lab>) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = runtime.spawn(async move {
            let mut samples = Vec::new();
            loop {
                // Redis may be dead: its own figure is then missing.
                let redis = lab.info().await.ok().map(|info| info.used_memory);
                samples.push((Instant::now(), resident_bytes(), redis));
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
        let sample = |(at, process, redis): Sample| ResourceSample {
            at_ms: clock.at(at) as f64 / 1e6,
            process_rss_bytes: process,
            redis_used_memory_bytes: redis,
        };
        samples.into_iter().map(sample).collect()
    }
}

/// Resident memory of this process (`/proc/self/statm`, second field, in pages); `None` where the system has no such file.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * u64::try_from(page).ok()?)
}
