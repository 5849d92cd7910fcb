//! What this process uses, by the names of Prometheus' process collector, which `toxiproxy-server -runtime-metrics` has.
//! There is no Go runtime here, so there is none of its metrics.

use std::fs;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::unistd::{SysconfVar, sysconf};

use crate::exposition::Exposition;

/// A metric: its name, its kind, what it is, and its value where the system tells it.
type Metric = (&'static str, &'static str, &'static str, fn() -> Option<f64>);

const METRICS: [Metric; 6] = [
    ("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", cpu_seconds),
    ("process_max_fds", "gauge", "Maximum number of open file descriptors.", max_fds),
    ("process_open_fds", "gauge", "Number of open file descriptors.", open_fds),
    ("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", || pages(1)),
    ("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.", start_time),
    ("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", || pages(0)),
];

/// Adds the metrics to `text`.
pub(in super::super) fn render(text: &mut Exposition) {
    for (name, kind, help, value) in METRICS {
        if let Some(value) = value() {
            text.metric(name, kind, help);
            text.sample(name, &[], value);
        }
    }
}

fn cpu_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let times = [usage.user_time(), usage.system_time()];
    Some(times.iter().map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6).sum())
}

fn max_fds() -> Option<f64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft as f64)
}

fn open_fds() -> Option<f64> {
    fs::read_dir("/proc/self/fd").ok().map(|open| open.count() as f64)
}

/// A field of /proc/self/statm, in bytes.
fn pages(field: usize) -> Option<f64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_whitespace().nth(field)?.parse().ok()?;
    Some(pages * sysconf(SysconfVar::PAGE_SIZE).ok()?? as f64)
}

fn start_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process is in parentheses and may hold spaces; the start is the 20th field after it.
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let system = fs::read_to_string("/proc/stat").ok()?;
    let booted: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(booted + ticks / sysconf(SysconfVar::CLK_TCK).ok()?? as f64)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn every_metric_of_the_process_has_a_value_that_can_be() {
        let mut text = Exposition::default();
        render(&mut text);
        let text = text.into_text();
        for (name, kind, ..) in METRICS {
            assert!(text.contains(&format!("# TYPE {name} {kind}\n{name} ")), "{text}");
        }
        assert!(open_fds() <= max_fds() && pages(1) <= pages(0));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let age = now - start_time().unwrap();
        assert!((-2.0..86_400.0).contains(&age), "{age}");
    }
}
