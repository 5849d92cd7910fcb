//! Schedules that once broke a promise, each kept as found or shortened: `found/` names them after the kind of failure
//! (docs/storage.md) and what happens.

use std::path::Path;

use firedrill_storage_sim::oracle::judge;
use firedrill_storage_sim::quiet_panics;
use firedrill_storage_sim::run::{reported, run};
use firedrill_storage_sim::schedule::Schedule;

#[test]
fn no_schedule_that_broke_a_promise_breaks_one_again() {
    quiet_panics();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/found");
    let mut kept = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let schedule: Schedule = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let run = run(&schedule);
        let broken = judge(&schedule, &run);
        assert!(broken.is_empty(), "{name}: {}", broken[0]);
        if name.starts_with("k10-") {
            // Reporting the loss does not excuse it: the session was readable a moment later.
            assert_eq!(run.stats.iter().map(reported).sum::<u64>(), 0, "{name}");
        }
        kept += 1;
    }
    assert!(kept >= 15, "only {kept} schedules");
}
