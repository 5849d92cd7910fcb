//! Each planted defect, one at a time: after how many random schedules the simulator finds it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use firedrill_storage::planted;
use firedrill_storage_sim::generate::generate;
use firedrill_storage_sim::oracle::judge;
use firedrill_storage_sim::run::run;

/// Looks for each defect in at most this many schedules and seconds, and prints what was found. Some are out of its reach: its
/// judge looks at what callers get, not at health, counters or connections. Fails if there are no defects in this build.
pub fn find_each(from: u64, seeds: u64, seconds: Option<u64>) -> ExitCode {
    let mut count = 0;
    for defect in planted::ALL {
        let begun = Instant::now();
        let in_time = |_: &u64| seconds.is_none_or(|most| begun.elapsed() < Duration::from_secs(most));
        let found = (from..from + seeds).take_while(in_time).find_map(|seed| {
            let mut schedule = generate(seed, None);
            schedule.setting.planted = Some(defect.name);
            let broken = judge(&schedule, &run(&schedule)).into_iter().next()?;
            Some((seed, broken))
        });
        let took = begun.elapsed().as_secs_f64();
        match found {
            Some((seed, broken)) => {
                count += 1;
                let after = seed - from + 1;
                println!("{}: found after {after} schedules, {took:.1} s: {:?}", defect.name, broken.kind);
            }
            None => println!("{}: not found in {took:.1} s", defect.name),
        }
    }
    println!("{count} of {} found", planted::ALL.len());
    if planted::ALL.is_empty() {
        eprintln!("this build has no planted defects: build with --features planted");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
