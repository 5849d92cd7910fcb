//! Samples memory and CPU while the load runs: of the driven process (the application's, else this one, in which the store
//! lives) and of Redis; asks the target whether it is connected; and counts what Redis itself counts: the keys that it throws
//! out, the commands that block it.

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

/// What Redis counted while the load ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Keys thrown out to make room.
    pub evicted: u64,
    /// Calls of KEYS, whoever made them.
    pub keys_commands: u64,
}

/// A watch that is running.
pub struct Watch {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<Sample>>,
}

impl Watch {
    /// Begins to sample what runs as `app`, where that is given, else this process, and its Redis. `asked` is the target that
    /// is asked whether it is connected: it looks over its own connection, which is then never idle.
    pub fn start<T: Drilled>(
        runtime: &Runtime,
        lab: Arc<Lab>,
        app: Option<Arc<AppProcess>>,
        asked: Option<Arc<T>>,
    ) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = runtime.spawn(async move {
            let mut samples = Vec::new();
            let mut last = false;
            loop {
                // An application that is dead has no figures; nor has a Redis that is.
                let pid = app.as_ref().map_or(Some(std::process::id()), |app| app.pid());
                let at = Instant::now();
                let (rss, cpu) = (pid.and_then(procfs::resident_bytes), pid.and_then(procfs::cpu_ms));
                let connected = async {
                    match &asked {
                        Some(target) => target.connected().await,
                        None => None,
                    }
                };
                let (redis, connected) = tokio::join!(lab.info(), connected);
                samples.push(Sample { at, rss, cpu, redis: redis.ok(), connected });
                if last {
                    return samples;
                }
                last = tokio::time::timeout(PERIOD, &mut stopped).await.is_ok();
            }
        });
        Self { stop, task }
    }

    /// Looks a last time, ends, and tells what it saw, on the drill's clock; with it what Redis counted, which is `None`
    /// where it never answered.
    pub fn finish(self, runtime: &Runtime, clock: &Clock) -> (Vec<ResourceSample>, Option<Counted>) {
        let _ = self.stop.send(());
        let samples = runtime.block_on(self.task).unwrap_or_default();
        let answers = || samples.iter().filter_map(|sample| sample.redis.as_ref());
        let counted = grown(answers(), |info| info.evicted_keys)
            .zip(grown(answers(), |info| info.keys_commands))
            .map(|(evicted, keys_commands)| Counted { evicted, keys_commands });
        let sample = |sample: Sample| ResourceSample {
            at_ms: clock.at(sample.at) as f64 / 1e6,
            process_rss_bytes: sample.rss,
            redis_used_memory_bytes: sample.redis.as_ref().map(|redis| redis.used_memory),
            process_cpu_ms: sample.cpu,
            redis_cpu_ms: sample.redis.as_ref().map(|redis| redis.cpu_ms),
            connected: sample.connected,
        };
        (samples.into_iter().map(sample).collect(), counted)
    }
}

/// By how much a count of Redis's grew between the first and the last of these answers; a server that was restarted counts
/// from 0 again. `None`: there are no answers.
fn grown<'a>(answers: impl Iterator<Item = &'a RedisInfo>, count: impl Fn(&RedisInfo) -> u64) -> Option<u64> {
    let (mut last, mut sum): (Option<&RedisInfo>, u64) = (None, 0);
    for info in answers {
        let before = last.filter(|last| last.run_id == info.run_id).map(&count);
        // What was there at the first look is not the drill's.
        sum += count(info).saturating_sub(before.unwrap_or(if last.is_some() { 0 } else { count(info) }));
        last = Some(info);
    }
    last.map(|_| sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evictions_are_counted_across_a_restart_and_without_those_before_the_drill() {
        let info = |run: &str, keys| RedisInfo { run_id: run.to_owned(), evicted_keys: keys, ..RedisInfo::default() };
        let count = |answers: &[RedisInfo]| grown(answers.iter(), |info| info.evicted_keys);
        assert_eq!(count(&[]), None);
        assert_eq!(count(&[info("a", 7)]), Some(0));
        assert_eq!(count(&[info("a", 7), info("a", 9), info("b", 3), info("b", 4)]), Some(6));
    }
}
