//! Takes samples during the load: memory and CPU of Redis and of the driven process (the application, or else this
//! process, which hosts the store); whether the target is connected, how often it has connected, and how much it has
//! logged; and Redis's own counters: evicted keys, and commands that block it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_reports::run::ResourceSample;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::log_lines::LogLines;
use crate::clock::Clock;
use crate::lab::{AppProcess, Lab, LabError, RedisFailure, RedisInfo, ServerProcess, procfs};
use crate::proxy::ProxyControl;
use crate::targets::Driver;

const PERIOD: Duration = Duration::from_millis(500);

struct Sample {
    at: Instant,
    rss: Option<u64>,
    cpu: Option<u64>,
    redis: Option<RedisInfo>,
    connected: Option<bool>,
    attempts: Option<u64>,
    accepted: Option<u64>,
    open: Option<u64>,
    lines: Option<u64>,
    words: Option<String>,
    lacks: Option<String>,
}

/// What to sample.
pub struct Subjects {
    /// Redis.
    pub lab: Arc<Lab>,
    /// The instances of the application; without one, the process is this one.
    pub apps: Vec<Arc<AppProcess>>,
    /// The target.
    pub target: Arc<dyn Driver>,
    /// Whether to ask the target whether it is connected. It checks over its own connection, which is then never idle.
    pub asked: bool,
    /// The proxy that carries all of the target's connections to Redis, if there is one.
    pub proxy: Option<Arc<dyn ProxyControl>>,
}

/// What Redis counted during the load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Keys evicted to make room.
    pub evicted: u64,
    /// Keys evicted before that, by the preload.
    pub evicted_before: u64,
    /// KEYS calls by any client.
    pub keys_commands: u64,
    /// Commands of any client refused because it could not save its data.
    pub misconf: u64,
    /// Commands of any client refused because it was out of memory.
    pub oom: u64,
}

/// A running sampler.
pub struct Sampler {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    /// Starts to sample on the current runtime.
    pub fn start(subjects: Subjects) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let Subjects { lab, apps, target, asked, proxy } = subjects;
        let task = tokio::spawn(async move {
            let mut samples = Vec::new();
            // A log that was asked to be verbose may have a line for every call.
            let plain = std::env::var_os("RUST_LOG").is_none();
            let printed = || apps.iter().flat_map(|app| app.printed()).collect();
            let mut lines = (plain && !apps.is_empty()).then(|| LogLines::of(printed()));
            let mut last = false;
            loop {
                // A dead application has no figures, and neither has a dead Redis.
                let at = Instant::now();
                let (rss, cpu) = (measured(&apps, procfs::resident_bytes), measured(&apps, procfs::cpu_ms));
                let (attempts, accepted) = (target.attempts(), proxy.as_ref().and_then(|proxy| proxy.stats()));
                let (accepted, open) = (accepted.map(|stats| stats.accepted), accepted.map(|stats| stats.open));
                let lines = lines.as_mut().map(LogLines::count);
                let connected = async {
                    match asked {
                        true => target.connected().await,
                        false => None,
                    }
                };
                let (redis, connected) = tokio::join!(lab.info(), connected);
                let redis = redis.ok();
                let words = match (&redis, samples.last()) {
                    (Some(now), Some(Sample { redis: Some(before), .. })) if has_refused(before, now) => {
                        refusal(&lab).await
                    }
                    _ => None,
                };
                let lacks = lacking();
                samples.push(Sample { at, rss, cpu, redis, connected, attempts, accepted, open, lines, words, lacks });
                if last {
                    return samples;
                }
                last = tokio::time::timeout(PERIOD, &mut stopped).await.is_ok();
            }
        });
        Self { stop, task }
    }

    /// Takes a last sample, ends, and returns everything on the drill's clock. `before` is Redis's INFO from before the
    /// drill wrote anything: refusals count from there.
    pub async fn finish(self, clock: &Clock, before: Option<&RedisInfo>) -> Sampled {
        let _ = self.stop.send(());
        let samples = self.task.await.unwrap_or_default();
        let answers = || samples.iter().filter_map(|sample| sample.redis.as_ref());
        let whole = |count: fn(&RedisInfo) -> u64| grown(before.into_iter().chain(answers()), count).unwrap_or(0);
        let counted = grown(answers(), |info| info.evicted_keys).zip(grown(answers(), |info| info.keys_commands));
        let counted = counted.map(|(evicted, keys_commands)| Counted {
            evicted,
            evicted_before: whole(|info| info.evicted_keys).saturating_sub(evicted),
            keys_commands,
            misconf: whole(|info| info.misconf_refusals),
            oom: whole(|info| info.oom_refusals),
        });
        let refusal = samples.iter().find_map(|sample| sample.words.clone());
        let lacks = samples.iter().find_map(|sample| sample.lacks.clone());
        let sample = |sample: Sample| ResourceSample {
            at_ms: clock.at(sample.at) as f64 / 1e6,
            process_rss_bytes: sample.rss,
            redis_used_memory_bytes: sample.redis.as_ref().map(|redis| redis.used_memory),
            process_cpu_ms: sample.cpu,
            redis_cpu_ms: sample.redis.as_ref().map(|redis| redis.cpu_ms),
            connected: sample.connected,
            connection_attempts: sample.attempts,
            connections_open: sample.open,
            connections_accepted: sample.accepted,
            log_lines: sample.lines,
        };
        Sampled { resources: samples.into_iter().map(sample).collect(), counted, refusal, lacks }
    }
}

/// The sum of a figure over the instances of the application, or that of this process without one; `None` while one of
/// them is dead.
pub(super) fn measured<N: std::iter::Sum>(apps: &[Arc<AppProcess>], figure: impl Fn(u32) -> Option<N>) -> Option<N> {
    match apps {
        [] => figure(std::process::id()),
        apps => apps.iter().map(|app| app.pid().and_then(&figure)).sum(),
    }
}

/// The samples.
pub struct Sampled {
    /// Memory and CPU, in order of time.
    pub resources: Vec<ResourceSample>,
    /// What Redis counted; `None` if it never answered.
    pub counted: Option<Counted>,
    /// Redis's message when it refused a write on its own.
    pub refusal: Option<String>,
    /// The system's error when this process was out of descriptors or threads.
    pub lacks: Option<String>,
}

/// The system's error if this process has no file descriptor or thread left: its connections and the proxy's then fail
/// too, which looks like a dead Redis.
fn lacking() -> Option<String> {
    let said = |what: &str, error: std::io::Error| format!("the harness had no {what} left: {error}");
    if let Err(error) = std::fs::File::open("/dev/null") {
        return Some(said("file descriptor", error));
    }
    match std::thread::Builder::new().stack_size(64 << 10).spawn(|| {}) {
        Ok(_) => None,
        Err(error) => Some(said("thread", error)),
    }
}

/// Whether Redis refused a command for its own reasons between two answers.
fn has_refused(before: &RedisInfo, now: &RedisInfo) -> bool {
    now.misconf_refusals > before.misconf_refusals || now.oom_refusals > before.oom_refusals
}

/// Redis's refusal of a write by the drill itself, if any.
async fn refusal(lab: &Lab) -> Option<String> {
    let key = format!("{}refusal", lab.prefix().as_str());
    match lab.admin().query::<()>(redis::cmd("SET").arg(key).arg("").arg("PX").arg(1)).await {
        Err(LabError::Redis(RedisFailure::Refused { answer, .. })) => Some(answer),
        _ => None,
    }
}

/// How much a counter of Redis grew between the first and the last of these answers; a restarted server counts from 0
/// again. `None` without answers.
fn grown<'a>(answers: impl Iterator<Item = &'a RedisInfo>, count: impl Fn(&RedisInfo) -> u64) -> Option<u64> {
    let (mut last, mut sum): (Option<&RedisInfo>, u64) = (None, 0);
    for info in answers {
        let before = last.filter(|last| last.run_id == info.run_id).map(&count);
        // Counts up to the first answer are not the drill's.
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
