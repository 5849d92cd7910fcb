//! Each fixed defect, planted again: the simulator must find it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use firedrill_storage::defect::{Defect, plant};
use firedrill_storage_sim::generate::generate;
use firedrill_storage_sim::oracle::judge;
use firedrill_storage_sim::run::run;

/// Looks for each defect in at most this many schedules and seconds. Fails if it misses one.
pub fn find_each(from: u64, seeds: u64, seconds: Option<u64>) -> ExitCode {
    let mut missed = 0;
    for defect in Defect::ALL {
        plant(Some(defect));
        let begun = Instant::now();
        let in_time = |_: &u64| seconds.is_none_or(|most| begun.elapsed() < Duration::from_secs(most));
        let found = (from..from + seeds).take_while(in_time).find_map(|seed| {
            let schedule = generate(seed, None);
            let broken = judge(&schedule, &run(&schedule)).into_iter().next()?;
            Some((seed, broken))
        });
        plant(None);
        let took = begun.elapsed().as_secs_f64();
        match found {
            Some((seed, broken)) => {
                let after = seed - from + 1;
                println!("{} {defect:?}: found after {after} schedules, {took:.1} s: {:?}", defect.kind(), broken.kind);
            }
            None => {
                missed += 1;
                println!("{} {defect:?}: NOT found in {took:.1} s", defect.kind());
            }
        }
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
