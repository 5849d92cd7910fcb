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

/// The oracle leaves it open what a destroy under the new id that does not stand ends, so the content is compared here.
#[test]
fn a_rename_that_stands_is_not_replaced_by_another_whose_session_ended() {
    quiet_panics();
    let schedule: Schedule = "seed 1 policy drain processes 2
        50 p0 create s0
        100 p1 get s0
        150 p1 part refused
        200 p0 rename s0 s2
        250 p1 rename s0 s1
        270 p1 destroy s1
        300 p0 part refused
        350 p0 append s2
        400 p1 mend
        800 p0 mend"
        .parse()
        .unwrap();
    let run = run(&schedule);
    let written: Vec<u64> =
        run.calls.iter().filter(|call| call.acked().is_some()).filter_map(|call| call.item).collect();
    let last = run.last[2].as_ref().unwrap().as_ref().map(|(_, items)| items.clone());
    assert_eq!(written.len(), 2);
    assert_eq!(last, Some(written), "{:?}", run.last);
}
