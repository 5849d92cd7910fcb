//! Watches whether the machine lets the harness run. A separate thread outside every runtime sleeps briefly, again and
//! again, and each time measures two things: how late it woke up, and how long each thread of this process was ready to
//! run but did not (`run_delay` of `/proc/<pid>/task/<tid>/schedstat`, see Documentation/scheduler/sched-stats.rst in
//! the Linux kernel). The process's own CPU use is no excuse: if it used most of the machine, other processes are not
//! to blame.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::clock::{Clock, Nanos};
use crate::measure::Stall;

/// How long it sleeps between two measurements.
const BEAT: Duration = Duration::from_millis(20);

/// Looks for new threads once in this many beats.
const BEATS_PER_LISTING: u32 = 10;

/// Shorter delays are ordinary scheduling.
const NOTEWORTHY: Duration = Duration::from_millis(2);

/// If this process used at least this share of all cores, a delay is its own doing.
const OWN_DOING: f64 = 0.75;

/// A measured delay.
struct Delay {
    from: Instant,
    to: Instant,
    denied: Duration,
    still: Duration,
    /// The delay of each thread.
    threads: Vec<(u32, Duration)>,
}

/// How long each thread, by its id, was kept waiting: when the delay was measured, and its length.
#[derive(Debug, Clone, Default)]
pub struct Delays(HashMap<u32, Vec<(Nanos, Nanos)>>);

impl Delays {
    /// How long `thread` was ready to run but did not, between `from` and `to`.
    pub fn of(&self, thread: u32, from: Nanos, to: Nanos) -> Nanos {
        let Some(known) = self.0.get(&thread) else { return 0 };
        let first = known.partition_point(|(at, _)| *at <= from);
        // The kernel counts a delay when it ends, and the next measurement sees it.
        let denied: Nanos =
            known[first..].iter().take_while(|(at, length)| at - length < to).map(|(_, length)| length).sum();
        denied.min(to - from)
    }
}

/// A running watch. Dropping it ends it.
pub struct Pulse {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Delay>>>,
}

impl Pulse {
    /// Starts to watch. If no thread can be started, nothing is excused.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("firedrill-pulse".to_owned()).spawn(move || beat(&stopped));
        Self { stop, thread: thread.ok() }
    }

    /// Ends the watch and returns what it saw, on the drill's clock.
    pub fn finish(mut self, clock: &Clock) -> (Vec<Stall>, Delays) {
        let mut delays = Delays::default();
        let mut stall = |seen: Delay| {
            let to = clock.at(seen.to);
            for (thread, delay) in seen.threads {
                delays.0.entry(thread).or_default().push((to, nanos(delay)));
            }
            Stall { from: clock.at(seen.from), to, denied: nanos(seen.denied), still: nanos(seen.still) }
        };
        (self.end().into_iter().map(&mut stall).collect(), delays)
    }

    fn end(&mut self) -> Vec<Delay> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.end();
    }
}

fn beat(stopped: &AtomicBool) -> Vec<Delay> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get) as f64;
    let mut seen = Vec::new();
    let mut threads = Threads::default();
    let (mut before, mut cpu_before) = (Instant::now(), process_cpu());
    for number in 0u32.. {
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep(BEAT);
        let (now, cpu) = (Instant::now(), process_cpu());
        let wall = now - before;
        if number.is_multiple_of(BEATS_PER_LISTING) {
            threads.list();
        }
        let (delayed, delays) = threads.delays();
        let still = wall.saturating_sub(BEAT);
        let denied = still.max(delayed);
        let own = cpu.saturating_sub(cpu_before).as_secs_f64() / (wall.as_secs_f64() * cores);
        if denied >= NOTEWORTHY && own < OWN_DOING {
            // The kernel counts a delay when it ends, so it may have begun before the last measurement.
            let from = before.checked_sub(delayed).unwrap_or(before);
            seen.push(Delay { from, to: now, denied, still, threads: delays });
        }
        (before, cpu_before) = (now, cpu);
    }
    seen
}

fn nanos(time: Duration) -> Nanos {
    Nanos::try_from(time.as_nanos()).unwrap_or(Nanos::MAX)
}

/// CPU time used by this process.
fn process_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// The threads of this process, each with its open `schedstat` and its total delay at the last measurement, in
/// nanoseconds.
#[derive(Default)]
struct Threads(HashMap<u32, (File, u64)>);

impl Threads {
    /// Updates the list of threads. On a kernel without `schedstat` it stays empty.
    fn list(&mut self) {
        let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return };
        let ids: Vec<u32> = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok()).collect();
        self.0.retain(|id, _| ids.contains(id));
        for id in ids {
            if let std::collections::hash_map::Entry::Vacant(entry) = self.0.entry(id)
                && let Ok(file) = File::open(format!("/proc/self/task/{id}/schedstat"))
            {
                let delay = run_delay(&file).unwrap_or(0);
                entry.insert((file, delay));
            }
        }
    }

    /// How long threads were ready to run but did not since the last measurement: the longest delay, and the delay of
    /// each such thread.
    fn delays(&mut self) -> (Duration, Vec<(u32, Duration)>) {
        let grown = self.0.iter_mut().filter_map(|(id, (file, before))| {
            let now = run_delay(file)?;
            let delay = now.saturating_sub(std::mem::replace(before, now));
            (delay > 0).then(|| (*id, Duration::from_nanos(delay)))
        });
        let delays: Vec<(u32, Duration)> = grown.collect();
        (delays.iter().map(|(_, delay)| *delay).max().unwrap_or_default(), delays)
    }
}

/// The second figure of a `schedstat`: nanoseconds spent waiting on a run queue.
fn run_delay(file: &File) -> Option<u64> {
    let mut text = [0; 96];
    let length = file.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(&text[..length]).ok()?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_on_a_run_queue_is_seen_and_one_that_sleeps_is_not() {
        let pinned = || {
            let mut one = nix::sched::CpuSet::new();
            let cpu = (0..nix::sched::CpuSet::count())
                .find(|cpu| {
                    let mine = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap();
                    mine.is_set(*cpu).unwrap()
                })
                .unwrap();
            one.set(cpu).unwrap();
            nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &one).unwrap();
        };
        let stop = Arc::new(AtomicBool::new(false));
        let burner = |stop: Arc<AtomicBool>| {
            std::thread::spawn(move || {
                pinned();
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let burners = [burner(stop.clone()), burner(stop.clone())];
        let mut threads = Threads::default();
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut longest = Duration::ZERO;
        while longest < NOTEWORTHY && Instant::now() < deadline {
            threads.list();
            std::thread::sleep(BEAT);
            longest = longest.max(threads.delays().0);
        }
        stop.store(true, Ordering::Relaxed);
        burners.into_iter().for_each(|burner| burner.join().unwrap());
        assert!(longest >= NOTEWORTHY, "two threads shared one core for {longest:?} at most");
    }

    #[test]
    fn a_figure_of_the_kernel_is_read_and_a_watch_ends_when_it_is_told_to() {
        let file = File::open("/proc/self/schedstat").unwrap();
        assert!(run_delay(&file).is_some());
        let pulse = Pulse::start();
        let (stalls, _) = pulse.finish(&Clock::starting_in(Duration::ZERO));
        assert!(stalls.iter().all(|stall| stall.from < stall.to && stall.denied > 0));
    }
}
