//! `firedrill-storage-sim`: simulates random schedules and prints the first that breaks a promise, shortened.

mod planted;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use firedrill_storage::Policy;
use firedrill_storage_sim::census::{Known, classify};
use firedrill_storage_sim::generate::generate;
use firedrill_storage_sim::oracle::{Kind, judge};
use firedrill_storage_sim::run::run;
use firedrill_storage_sim::schedule::Schedule;
use firedrill_storage_sim::shrink::shrink;
use firedrill_storage_sim::{quiet_panics, summary::Summary};

/// Simulates the session store under faults, many schedules per second, and checks its promises.
#[derive(Parser)]
struct Options {
    /// Number of schedules, one per seed.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Use only this policy.
    #[arg(long)]
    policy: Option<Policy>,
    /// Continue after a failure, and show the first failure of each kind.
    #[arg(long)]
    all: bool,
    /// Stop after this many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Plant each defect, one at a time, and print after how many schedules it is found (needs the feature `planted`).
    #[arg(long)]
    defects: bool,
    /// Print the schedule of the first seed without running it.
    #[arg(long)]
    print: bool,
    /// Run the schedule in this file instead, and print every call.
    #[arg(long)]
    file: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    quiet_panics();
    if let Some(file) = &options.file {
        return replay(file);
    }
    if options.print {
        println!("{}", generate(options.from, options.policy));
        return ExitCode::SUCCESS;
    }
    if options.defects {
        return planted::find_each(options.from, options.seeds, options.seconds);
    }
    let begun = Instant::now();
    let mut summary = Summary::default();
    let mut failures: BTreeMap<(Known, Kind), Found> = BTreeMap::new();
    for seed in options.from..options.from + options.seeds {
        if options.seconds.is_some_and(|most| begun.elapsed() > Duration::from_secs(most)) {
            break;
        }
        let schedule = generate(seed, options.policy);
        let run = run(&schedule);
        summary.add(&run);
        let mut broken = judge(&schedule, &run);
        broken.dedup_by_key(|found| found.kind);
        for found in broken {
            // A crowd takes long to shrink, and its short form says no more.
            let short = if found.kind == Kind::NoRoom { schedule.clone() } else { shrink(&schedule, found.kind) };
            let known = classify(&short, found.kind);
            let schedules = summary.schedules;
            let first = failures.entry((known, found.kind)).or_insert_with(|| {
                println!("seed {seed}, schedule {schedules}, {known}: {found}");
                show(&short);
                Found { seed, after: schedules, count: 0 }
            });
            first.count += 1;
        }
        if !failures.is_empty() && !options.all {
            break;
        }
    }
    println!("{}", summary.line(begun.elapsed()));
    for ((known, kind), found) in &failures {
        let Found { seed, after, count } = found;
        println!("{known} {kind:?}: {count} times, first after {after} schedules (seed {seed})");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How often one kind of failure occurred.
struct Found {
    seed: u64,
    after: u64,
    count: u64,
}

fn show(schedule: &Schedule) {
    println!("{schedule}");
    let run = run(schedule);
    for found in judge(schedule, &run) {
        println!("  broken: {found}");
    }
    for call in &run.calls {
        println!("    {call}");
    }
    println!("    at the end: {:?}\n", run.last);
}

fn replay(file: &std::path::Path) -> ExitCode {
    let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
    match read.and_then(|text| text.parse::<Schedule>()) {
        Ok(schedule) => {
            show(&schedule);
            if judge(&schedule, &run(&schedule)).is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            ExitCode::from(2)
        }
    }
}
