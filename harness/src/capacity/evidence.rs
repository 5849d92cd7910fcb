//! What the machine and Redis did during a step.

use firedrill_reports::capacity::Waits;
use hdrhistogram::Histogram;

use super::tally::Responses;
use crate::drill::{Gauge, Occupation, Ran};
use crate::lab::RedisInfo;

/// Figures of a step.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Response times, nanoseconds.
    pub times: Histogram<u64>,
    /// Operations that failed or whose outcome is unknown.
    pub errors: u64,
    /// Length of the window between the gauges, seconds.
    pub seconds: f64,
    /// Cores that the main thread of the busiest Redis used.
    pub redis_cores: Option<f64>,
    /// The share of the time in which a CPU quota held Redis back.
    pub redis_throttled: Option<f64>,
    /// Cores that this process, or the driven application, used.
    pub process_cores: Option<f64>,
    /// Cores that were idle.
    pub idle_cores: Option<f64>,
    /// The share of the processors' time that other virtual machines took.
    pub stolen: Option<f64>,
    /// Keys that Redis evicted, and writes that it refused because its memory was full.
    pub out_of_memory: Option<u64>,
    /// What the main thread of the first Redis did.
    pub redis: Occupation,
    /// What those of the application's instances did.
    pub application: Occupation,
    /// The share of the time in which a CPU quota held the application back.
    pub application_throttled: Option<f64>,
    /// Writes to an append-only file that waited for an fsync.
    pub delayed_fsyncs: Option<u64>,
    /// Connections of the target to all servers at the end.
    pub redis_clients: Option<u64>,
    /// Commands per second, of all servers.
    pub redis_commands: Option<f64>,
    /// Cores that this process used beside an application.
    pub generator_cores: Option<f64>,
    /// Bytes per second to or from the busiest Redis, whichever is more.
    pub flow: Option<f64>,
    /// Memory in use at the end by all Redis servers that accept writes, bytes.
    pub redis_bytes: Option<u64>,
    /// Resident memory at the end of this process, or of the driven application, bytes.
    pub process_bytes: Option<u64>,
}

impl Evidence {
    /// The figures of one stretch of load.
    pub fn of(ran: &Ran, responses: Responses) -> Self {
        let (before, after) = (&ran.before, &ran.after);
        let seconds = after.at.saturating_duration_since(before.at).as_secs_f64();
        let per_second = |used: f64| (seconds > 0.0).then_some(used / seconds);
        let cores = |of: fn(&Gauge) -> Option<u64>| {
            let (before, after) = of(before).zip(of(after))?;
            per_second(after.saturating_sub(before) as f64 / 1e3)
        };
        let process_cores = cores(|gauge| gauge.process_ms);
        let (idle_cores, stolen) = processors(before, after).unzip();
        let redis_cores = redis_seconds(before, after).and_then(per_second);
        let throttled = |of: fn(&Gauge) -> Option<u64>| {
            let (before, after) = of(before).zip(of(after))?;
            per_second(after.saturating_sub(before) as f64 / 1e9)
        };
        Self {
            times: responses.times,
            errors: responses.errors,
            seconds,
            redis_cores,
            redis_throttled: throttled(|gauge| gauge.redis_throttled_ns),
            process_cores,
            idle_cores,
            stolen,
            out_of_memory: out_of_memory(before, after),
            redis: ran.redis.clone(),
            application: ran.application.clone(),
            application_throttled: throttled(|gauge| gauge.application_throttled_ns),
            delayed_fsyncs: delayed_fsyncs(before, after),
            redis_clients: after.clients,
            redis_commands: commands(before, after).and_then(|commands| per_second(commands as f64)),
            generator_cores: cores(|gauge| gauge.generator_ms),
            flow: bytes(before, after).and_then(|bytes| per_second(bytes as f64)),
            redis_bytes: (!after.redis.is_empty()).then(|| after.redis.iter().map(|info| info.used_memory).sum()),
            process_bytes: after.resident,
        }
    }

    /// The figures of a step with all of its extensions.
    pub fn whole(parts: Vec<Evidence>) -> Option<Self> {
        let seconds: f64 = parts.iter().map(|part| part.seconds).sum();
        let mean = |value: fn(&Evidence) -> Option<f64>| -> Option<f64> {
            let sum: Option<f64> = parts.iter().map(|part| value(part).map(|value| value * part.seconds)).sum();
            sum.filter(|_| seconds > 0.0).map(|sum| sum / seconds)
        };
        let (redis_cores, process_cores) = (mean(|part| part.redis_cores), mean(|part| part.process_cores));
        let redis_throttled = mean(|part| part.redis_throttled);
        let (application_throttled, flow) = (mean(|part| part.application_throttled), mean(|part| part.flow));
        let (redis_commands, generator_cores) = (mean(|part| part.redis_commands), mean(|part| part.generator_cores));
        let sum = |one: Option<u64>, other: Option<u64>| one.zip(other).map(|(one, other)| one + other);
        let (idle_cores, stolen) = (mean(|part| part.idle_cores), mean(|part| part.stolen));
        let whole = parts.into_iter().reduce(|mut whole, part| {
            whole.times += part.times;
            whole.errors += part.errors;
            whole.out_of_memory = sum(whole.out_of_memory, part.out_of_memory);
            whole.delayed_fsyncs = sum(whole.delayed_fsyncs, part.delayed_fsyncs);
            whole.redis_clients = whole.redis_clients.max(part.redis_clients);
            whole.redis = whole.redis.plus(part.redis);
            whole.application = whole.application.plus(part.application);
            whole
        })?;
        let shares = Self { redis_cores, redis_throttled, process_cores, idle_cores, stolen, ..whole };
        Some(Self { seconds, application_throttled, redis_commands, generator_cores, flow, ..shares })
    }

    /// What operations may have waited for, beside processors.
    pub fn waits(&self) -> Waits {
        Waits {
            redis_stopped: self.redis.stopped(),
            redis_blocked: self.redis.blocked(),
            redis_blocked_in: self.redis.blocked_in().map(str::to_owned),
            delayed_fsyncs: self.delayed_fsyncs,
            redis_clients: self.redis_clients,
            redis_commands: self.redis_commands,
            flow: self.flow,
            generator_cores: self.generator_cores,
            application_throttled: self.application_throttled,
            application_stopped: self.application.stopped(),
        }
    }
}

/// How much a counter of each server grew; servers that restarted meanwhile are left out.
fn grown<'a>(
    before: &'a Gauge,
    after: &'a Gauge,
    count: impl Fn(&RedisInfo) -> u64 + 'a,
) -> impl Iterator<Item = u64> + 'a {
    before.redis.iter().filter_map(move |before| {
        let after = after.redis.iter().find(|after| after.run_id == before.run_id)?;
        Some(count(after).saturating_sub(count(before)))
    })
}

/// CPU time that the main thread of the busiest Redis used, seconds.
fn redis_seconds(before: &Gauge, after: &Gauge) -> Option<f64> {
    let tells = after.redis.iter().any(|info| info.main_thread_us > 0);
    let used = grown(before, after, |info| info.main_thread_us).max();
    used.filter(|_| tells).map(|micros| micros as f64 / 1e6)
}

/// Keys evicted and writes refused because memory was full.
fn out_of_memory(before: &Gauge, after: &Gauge) -> Option<u64> {
    grown(before, after, |info| info.evicted_keys + info.oom_refusals).reduce(|one, other| one + other)
}

/// Writes to append-only files that waited for an fsync.
fn delayed_fsyncs(before: &Gauge, after: &Gauge) -> Option<u64> {
    grown(before, after, |info| info.delayed_fsyncs).reduce(|one, other| one + other)
}

/// Commands executed.
fn commands(before: &Gauge, after: &Gauge) -> Option<u64> {
    grown(before, after, |info| info.total_commands).reduce(|one, other| one + other)
}

/// Bytes to or from the busiest Redis, whichever is more.
fn bytes(before: &Gauge, after: &Gauge) -> Option<u64> {
    let (sent, received) = (grown(before, after, |info| info.net_input), grown(before, after, |info| info.net_output));
    sent.chain(received).max()
}

/// Idle cores, and the stolen share of the time of all of them.
fn processors(before: &Gauge, after: &Gauge) -> Option<(f64, f64)> {
    let (before, after) = before.processors.zip(after.processors)?;
    let grown = |before: u64, after: u64| after.saturating_sub(before) as f64;
    let total = grown(before.total, after.total);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get) as f64;
    (total > 0.0).then(|| (grown(before.idle, after.idle) / total * cores, grown(before.stolen, after.stolen) / total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::new_histogram;

    fn gauge(redis: &[(&str, u64)]) -> Gauge {
        let info = |&(run, used): &(&str, u64)| RedisInfo {
            run_id: run.to_owned(),
            main_thread_us: used,
            ..RedisInfo::default()
        };
        Gauge {
            at: std::time::Instant::now(),
            redis: redis.iter().map(info).collect(),
            clients: None,
            redis_throttled_ns: None,
            application_throttled_ns: None,
            process_ms: None,
            generator_ms: None,
            resident: None,
            processors: None,
        }
    }

    #[test]
    fn the_busiest_redis_counts_and_one_that_restarted_does_not() {
        let used = |before: &[(&str, u64)], after: &[(&str, u64)]| redis_seconds(&gauge(before), &gauge(after));
        assert_eq!(used(&[("a", 1_000_000), ("b", 5)], &[("a", 1_500_000), ("b", 3_000_005)]), Some(3.0));
        assert_eq!(used(&[("a", 1_000_000)], &[("c", 2_000_000)]), None);
        assert_eq!(used(&[("old", 0)], &[("old", 0)]), None, "the server does not report it");
    }

    #[test]
    fn extensions_count_by_their_length() {
        let part = |seconds, cores| Evidence {
            times: new_histogram(),
            errors: 1,
            seconds,
            redis_cores: Some(cores),
            redis_throttled: None,
            process_cores: None,
            idle_cores: None,
            stolen: None,
            out_of_memory: Some(3),
            redis: Occupation::default(),
            application: Occupation::default(),
            application_throttled: None,
            delayed_fsyncs: Some(1),
            redis_clients: Some(5),
            redis_commands: None,
            generator_cores: None,
            flow: Some(cores * 1e6),
            redis_bytes: None,
            process_bytes: None,
        };
        let whole = Evidence::whole(vec![part(1.0, 0.2), part(3.0, 0.6)]).unwrap();
        assert!((whole.redis_cores.unwrap() - 0.5).abs() < 1e-9);
        assert_eq!((whole.errors, whole.seconds, whole.process_cores), (2, 4.0, None));
        assert_eq!((whole.out_of_memory, whole.delayed_fsyncs, whole.redis_clients), (Some(6), Some(2), Some(5)));
        assert!((whole.flow.unwrap() - 0.5e6).abs() < 1e-3);
    }

    #[test]
    fn the_busier_direction_of_the_busiest_redis_counts() {
        let with = |input: u64, output: u64| {
            let mut gauge = gauge(&[("a", 0)]);
            (gauge.redis[0].net_input, gauge.redis[0].net_output) = (input, output);
            gauge
        };
        assert_eq!(bytes(&with(10, 20), &with(110, 520)), Some(500));
        assert_eq!(bytes(&with(10, 20), &gauge(&[("b", 0)])), None, "it restarted");
    }
}
