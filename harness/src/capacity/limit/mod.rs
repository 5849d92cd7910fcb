//! What gave way first, from what the steps around the knee used.

use firedrill_reports::capacity::{Knee, Limit, LimitName, Step, StepVerdict};
use firedrill_reports::text;

/// Redis's main thread counts as busy from this share of a core: the rest is the kernel's accounting and waits for events.
const BUSY: f64 = 0.9;

/// Fewer idle cores than this share of all of them mean that the processors are used up.
const IDLE: f64 = 0.05;

/// Above this stolen share, figures depend on other virtual machines.
const STOLEN: f64 = 0.05;

/// Other processes count as neighbours from this share of the processors, if less than [`CROWDED`] was idle.
const OTHERS: f64 = 0.1;

/// With fewer idle cores than this share, processes wait for one another now and then.
const CROWDED: f64 = 0.2;

/// Redis counts as held back by a CPU quota from this share of the time.
const THROTTLED: f64 = 0.05;

/// Steps within this ratio above the knee show what was used up.
const NEAR: f64 = 1.3;

/// Steps below this share of the knee show what was not used up yet.
const WELL_BELOW: f64 = 0.8;

/// Connections count as used up from this share of them.
const TAKEN: f64 = 0.9;

/// With more idle than this share of the processors, it is no processor that operations wait for.
const EASY: f64 = 0.2;

/// An application with one thread for its work uses one core, give or take this.
const ONE_CORE: std::ops::RangeInclusive<f64> = 0.9..=1.1;

/// What the evidence ends with until an intervention has confirmed or refuted it.
pub const SUSPECTED: &str = ". Suspected, not confirmed by an intervention";

/// What the target runs on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Host {
    /// The number of this machine's processors.
    pub cores: f64,
    /// How many operations the target takes at once.
    pub connections: u32,
    /// Whether the target is an application in a process of its own.
    pub application: bool,
}

/// Names what gave way at the knee.
pub fn limit(knee: &Knee, ceiling: Option<f64>, steps: &[Step], host: &Host) -> Limit {
    let cores = host.cores;
    let (rate, at_least) = match knee {
        Knee::At { rate, .. } => (*rate, false),
        Knee::AtLeast { rate } => (*rate, true),
        Knee::Below { rate } => (*rate, false),
        Knee::Unknown { why } => return named(LimitName::NotDetermined, why.clone()),
        Knee::NotAsked => return named(LimitName::NotDetermined, String::new()),
    };
    if at_least {
        let by_itself = ceiling.map_or_else(|| "an unknown rate".to_owned(), text::rate);
        let distrusted = |step: &&Step| step.of_target && step.verdict == StepVerdict::Distrusted && step.rate > rate;
        let why = match steps.iter().filter(distrusted).map(|step| step.rate).reduce(f64::min) {
            Some(late) => format!("at {} it was late or busy", text::rate(late)),
            None => "above 70 % of that its own delays are not told from the target's".to_owned(),
        };
        let evidence = format!(
            "the objectives still held at {}; by itself the generator reaches {by_itself} on this machine, and {why}",
            text::rate(rate)
        );
        return named(LimitName::Generator, evidence);
    }
    let near: Vec<&Step> = steps
        .iter()
        .filter(|step| step.of_target && step.verdict != StepVerdict::Distrusted)
        .filter(|step| (0.95..=NEAR).contains(&(step.rate / rate)))
        .collect();
    let below = steps
        .iter()
        .filter(|step| step.of_target && step.verdict == StepVerdict::Passed && step.rate <= WELL_BELOW * rate)
        .max_by(|one, other| one.rate.total_cmp(&other.rate));
    let used = |of: fn(&Step) -> Option<f64>| median(near.iter().filter_map(|step| of(step)).collect());
    let (redis, process) = (used(|step| step.redis_cores), used(|step| step.process_cores));
    let (idle, stolen) = (used(|step| step.idle_cores), used(|step| step.stolen));

    let core = |value: Option<f64>| value.map_or_else(|| "an unknown part".to_owned(), |value| format!("{value:.2}"));
    let before = |of: fn(&Step) -> Option<f64>| {
        below.and_then(|step| Some(format!(", {:.2} at {}", of(step)?, text::rate(step.rate)))).unwrap_or_default()
    };
    let redis_before = before(|step| step.redis_cores);
    if stolen.is_some_and(|stolen| stolen > STOLEN) {
        let stolen = text::percent(stolen.unwrap_or_default());
        return named(
            LimitName::Neighbours,
            format!("other virtual machines took {stolen} of the processors' time at the knee"),
        );
    }
    let refused: u64 = near.iter().filter_map(|step| step.out_of_memory).sum();
    if refused > 0 {
        let evidence = format!(
            "Redis refused writes or evicted keys {} times in the steps at the knee: its maxmemory was full. See what sessions take: \
             --memory",
            text::count(refused)
        );
        return named(LimitName::Memory, evidence);
    }
    if let Some(throttled) = used(|step| step.redis_throttled).filter(|share| *share > THROTTLED) {
        let evidence = format!(
            "the CPU quota of Redis's control group held it back {} of the time at the knee; its main thread used {} of a core. \
             Without the quota it may hold more",
            text::percent(throttled),
            core(redis),
        );
        return named(LimitName::Quota, evidence);
    }
    if redis.is_some_and(|cores| cores >= BUSY) {
        let evidence = format!(
            "it used {} of one core from {} on{redis_before}; idle: {} of {cores:.0} cores{SUSPECTED}",
            core(redis),
            text::rate(rate),
            core(idle),
        );
        return named(LimitName::RedisMainThread, evidence);
    }
    let others = idle.zip(redis).zip(process).map(|((idle, redis), process)| cores - idle - redis - process);
    if idle.is_some_and(|idle| idle < CROWDED * cores) && others.is_some_and(|others| others > OTHERS * cores) {
        let evidence = format!(
            "at the knee other processes used {} of {cores:.0} cores and {} were idle; Redis's main thread used {}, this process \
             {}. Search again on a quiet machine",
            core(others),
            core(idle),
            core(redis),
            core(process),
        );
        return named(LimitName::Neighbours, evidence);
    }
    if host.application && process.is_some_and(|used| used >= BUSY * cores || ONE_CORE.contains(&used)) {
        let one = process.is_some_and(|used| ONE_CORE.contains(&used));
        let evidence = format!(
            "its instances used {} of {cores:.0} cores at the knee{}; Redis's main thread used {}, and {} were idle",
            core(process),
            if one { ", about one: a single thread does its work" } else { "" },
            core(redis),
            core(idle),
        );
        return named(LimitName::Application, evidence);
    }
    let in_flight = used(|step| Some(step.in_flight));
    let taken = in_flight.is_some_and(|in_flight| in_flight >= TAKEN * f64::from(host.connections));
    if taken && idle.is_some_and(|idle| idle > EASY * cores) {
        let rate_of = median(near.iter().map(|step| step.throughput).collect()).unwrap_or(rate);
        let evidence = format!(
            "{} operations were in flight, and the target takes {} at once ([target] connections); at {} each took {} there (Little's \
             law), while {} of {cores:.0} cores were idle and Redis's main thread used {}. More connections may carry more",
            text::number(in_flight.unwrap_or_default()),
            host.connections,
            text::rate(rate_of),
            text::millis(f64::from(host.connections) / rate_of.max(1.0) * 1e3),
            core(idle),
            core(redis),
        );
        return named(LimitName::Connections, evidence);
    }
    if idle.is_some_and(|idle| idle < IDLE * cores) {
        let evidence = format!(
            "at the knee {} of {cores:.0} cores were idle: Redis's main thread used {}{redis_before}, this process {}. With \
             processors of its own, the target may hold more: read the answer as \"at least\"",
            core(idle),
            core(redis),
            core(process),
        );
        return named(LimitName::Processors, evidence);
    }
    let evidence = format!(
        "at the knee Redis's main thread used {} of one core{redis_before}, this process {}, and {} of {cores:.0} cores were idle",
        core(redis),
        core(process),
        core(idle),
    );
    named(LimitName::NotDetermined, evidence)
}

fn named(name: LimitName, evidence: String) -> Limit {
    Limit { name, evidence, confirmed: None }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(rate: f64, redis: f64, idle: f64, stolen: f64) -> Step {
        Step {
            of_target: true,
            phase: "repeat".to_owned(),
            rate,
            seconds: 4,
            verdict: if rate < 1_000.0 { StepVerdict::Passed } else { StepVerdict::Failed },
            why: String::new(),
            throughput: rate,
            in_flight: 1.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            errors: 0.0,
            shares: Vec::new(),
            little: None,
            redis_cores: Some(redis),
            redis_throttled: None,
            process_cores: Some(0.9),
            idle_cores: Some(idle),
            stolen: Some(stolen),
            out_of_memory: Some(0),
        }
    }

    const HOST: Host = Host { cores: 2.0, connections: 512, application: false };

    fn at_knee(redis: f64, idle: f64, stolen: f64) -> Limit {
        let steps = [
            step(500.0, redis / 2.0, 1.0, 0.0),
            step(1_000.0, redis, idle, stolen),
            step(1_050.0, redis, idle, stolen),
        ];
        limit(&Knee::At { rate: 1_000.0, low: 950.0, high: 1_050.0 }, Some(9_000.0), &steps, &HOST)
    }

    #[test]
    fn a_busy_main_thread_is_named_with_what_it_used_below_the_knee() {
        let found = at_knee(0.97, 0.5, 0.0);
        assert_eq!(found.name, LimitName::RedisMainThread);
        assert!(
            found.evidence.contains("0.97 of one core") && found.evidence.contains("0.48 at 500/s"),
            "{}",
            found.evidence
        );
    }

    #[test]
    fn a_quota_that_holds_redis_back_is_named_and_not_taken_for_a_busy_thread() {
        let knee = Knee::At { rate: 1_000.0, low: 950.0, high: 1_050.0 };
        let steps = [Step { redis_throttled: Some(0.6), ..step(1_000.0, 0.95, 0.5, 0.0) }];
        let found = limit(&knee, Some(9_000.0), &steps, &HOST);
        assert_eq!(found.name, LimitName::Quota);
        assert!(found.evidence.contains("60 % of the time"), "{}", found.evidence);
    }

    #[test]
    fn used_up_processors_neighbours_and_the_generator_are_told_apart_from_what_is_not_known() {
        assert_eq!(at_knee(0.95 * BUSY, 0.09, 0.0).name, LimitName::Processors);
        let found = at_knee(0.3, 0.04, 0.0);
        assert_eq!(found.name, LimitName::Neighbours);
        assert!(found.evidence.contains("other processes used 0.76 of 2 cores"), "{}", found.evidence);
        assert_eq!(at_knee(0.97, 0.5, 0.2).name, LimitName::Neighbours);
        assert_eq!(at_knee(0.5, 0.9, 0.0).name, LimitName::NotDetermined);
        let found = limit(&Knee::AtLeast { rate: 7_000.0 }, Some(10_000.0), &[], &HOST);
        assert_eq!(found.name, LimitName::Generator);
        assert!(found.evidence.contains(&text::rate(10_000.0)), "{}", found.evidence);
        let late = Step { verdict: StepVerdict::Distrusted, ..step(7_500.0, 0.5, 0.0, 0.0) };
        let found = limit(&Knee::AtLeast { rate: 7_000.0 }, Some(20_000.0), &[late], &HOST);
        assert!(found.evidence.ends_with("at 7500/s it was late or busy"), "{}", found.evidence);
    }

    fn at(step: Step, host: &Host) -> Limit {
        limit(&Knee::At { rate: 1_000.0, low: 950.0, high: 1_050.0 }, Some(9_000.0), &[step], host)
    }

    #[test]
    fn full_memory_is_named_before_what_it_keeps_busy() {
        let found = at(Step { out_of_memory: Some(12), ..step(1_000.0, 0.97, 0.5, 0.0) }, &HOST);
        assert_eq!(found.name, LimitName::Memory);
        assert!(found.evidence.contains("12 times"), "{}", found.evidence);
    }

    #[test]
    fn an_application_with_one_thread_is_at_its_end_with_one_core() {
        let application = Host { application: true, ..HOST };
        let busy = Step { process_cores: Some(0.98), ..step(1_000.0, 0.3, 0.5, 0.0) };
        let found = at(busy.clone(), &application);
        assert_eq!(found.name, LimitName::Application);
        assert!(found.evidence.contains("a single thread"), "{}", found.evidence);
        assert_ne!(at(busy.clone(), &HOST).name, LimitName::Application, "that is the generator");
        assert_ne!(at(Step { process_cores: Some(0.6), ..busy }, &application).name, LimitName::Application);
    }

    #[test]
    fn connections_are_the_limit_only_where_nothing_is_busy() {
        let few = Host { connections: 4, ..HOST };
        let waiting = Step { in_flight: 4.2, process_cores: Some(0.2), ..step(1_000.0, 0.3, 1.2, 0.0) };
        let found = at(waiting.clone(), &few);
        assert_eq!(found.name, LimitName::Connections);
        assert!(found.evidence.contains("takes 4 at once") && found.evidence.contains("4 ms"), "{}", found.evidence);
        assert_ne!(at(waiting.clone(), &HOST).name, LimitName::Connections);
        assert_eq!(at(Step { redis_cores: Some(0.95), ..waiting }, &few).name, LimitName::RedisMainThread);
    }
}
