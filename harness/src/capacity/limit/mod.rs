//! What gave way first, from what the steps around the knee used. Each limit is a file with its rule, and a line in [`RULES`].

mod application;
mod connections;
mod disk;
mod memory;
mod neighbours;
mod network;
mod pool;
mod processors;
mod quota;
mod redis;
mod view;

use firedrill_reports::capacity::{Knee, Limit, LimitName, Step, StepVerdict};
use firedrill_reports::text;

pub use view::{Host, SUSPECTED};
use view::{View, cores};

/// Looks at the steps around a knee, and says what shows its limit; `None` if nothing does.
type Rule = fn(&View<'_>) -> Option<String>;

/// The rules in the order in which they are asked: first what makes a machine's figures worthless, then what explains others (full
/// memory keeps the main thread busy with evictions, a busy one keeps operations in flight).
const RULES: [(LimitName, Rule); 11] = [
    (LimitName::Neighbours, neighbours::stole),
    (LimitName::Memory, memory::full),
    (LimitName::Quota, quota::throttled),
    (LimitName::RedisMainThread, redis::busy),
    (LimitName::Disk, disk::waited_for),
    (LimitName::Neighbours, neighbours::crowded),
    (LimitName::Application, application::busy),
    (LimitName::Pool, pool::taken),
    (LimitName::Network, network::waited_for),
    (LimitName::Connections, connections::taken),
    (LimitName::Processors, processors::used_up),
];

/// Names what gave way at the knee.
pub fn limit(knee: &Knee, ceiling: Option<f64>, steps: &[Step], host: &Host) -> Limit {
    let rate = match knee {
        Knee::At { rate, .. } | Knee::Below { rate } => *rate,
        Knee::AtLeast { rate } => return named(LimitName::Generator, by_the_generator(*rate, ceiling, steps)),
        Knee::Unknown { why } => return named(LimitName::NotDetermined, why.clone()),
        Knee::NotAsked => return named(LimitName::NotDetermined, String::new()),
    };
    let view = View::of(rate, steps, host);
    let found = RULES.iter().find_map(|(name, rule)| Some((*name, rule(&view)?)));
    let (name, evidence) = found.unwrap_or_else(|| (LimitName::NotDetermined, nothing(&view)));
    named(name, evidence)
}

fn by_the_generator(rate: f64, ceiling: Option<f64>, steps: &[Step]) -> String {
    let by_itself = ceiling.map_or_else(|| "an unknown rate".to_owned(), text::rate);
    let distrusted = |step: &&Step| step.of_target && step.verdict == StepVerdict::Distrusted && step.rate > rate;
    let why = match steps.iter().filter(distrusted).map(|step| step.rate).reduce(f64::min) {
        Some(late) => format!("at {} it was late or busy", text::rate(late)),
        None => "above 70 % of that its own delays are not told from the target's".to_owned(),
    };
    format!(
        "the objectives still held at {}; by itself the generator reaches {by_itself} on this machine, and {why}",
        text::rate(rate)
    )
}

/// What was used, where no rule tells.
fn nothing(view: &View<'_>) -> String {
    let path = view.host.path.map_or(String::new(), |path| format!("; a PING takes {}", text::millis(path.ping_ms)));
    format!(
        "at the knee Redis's main thread used {} of one core{}, this process {}, and {} of {:.0} cores were idle{path}",
        cores(view.redis()),
        view.before(|step| step.redis_cores),
        cores(view.process()),
        cores(view.idle()),
        view.host.cores,
    )
}

fn named(name: LimitName, evidence: String) -> Limit {
    Limit { name, evidence, confirmed: None }
}

#[cfg(test)]
mod tests;
