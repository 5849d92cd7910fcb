//! The promises table of docs/storage.md, on a fixed set of schedules.

use std::time::Instant;

use firedrill_storage_sim::generate::generate;
use firedrill_storage_sim::oracle::judge;
use firedrill_storage_sim::quiet_panics;
use firedrill_storage_sim::run::run;
use firedrill_storage_sim::shrink::shrink;
use firedrill_storage_sim::summary::Summary;

const SCHEDULES: u64 = 800;

#[test]
fn no_promise_is_broken_in_a_fixed_set_of_schedules() {
    quiet_panics();
    let (begun, mut summary) = (Instant::now(), Summary::default());
    for seed in 1..=SCHEDULES {
        let schedule = generate(seed, None);
        let run = run(&schedule);
        summary.add(&run);
        if let Some(broken) = judge(&schedule, &run).first() {
            panic!("seed {seed}: {broken}\nin short:\n{}", shrink(&schedule, broken.kind));
        }
    }
    println!("{}", summary.line(begun.elapsed()));
    // A set without these proves nothing about them.
    for (what, count) in [
        ("degraded writes", summary.degraded_writes),
        ("degraded renames", summary.degraded_renames),
        ("drains cut short", summary.interrupted_drains),
        ("lost tails", summary.lost_tails),
        ("merges", summary.merges),
    ] {
        assert!(count > 0, "no schedule has {what}");
    }
}
