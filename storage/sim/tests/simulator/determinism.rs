//! The same schedule has the same outcome, and can be restored from its text.

use firedrill_storage_sim::generate::generate;
use firedrill_storage_sim::quiet_panics;
use firedrill_storage_sim::run::run;
use firedrill_storage_sim::schedule::Schedule;

#[test]
fn a_schedule_repeats_exactly() {
    quiet_panics();
    for seed in 1..=40 {
        let schedule = generate(seed, None);
        let (once, again) = (run(&schedule), run(&schedule));
        assert_eq!(once.calls, again.calls, "{schedule}");
        assert_eq!(once.last, again.last, "{schedule}");
        assert!(!once.calls.is_empty());
    }
}

#[test]
fn a_schedule_is_read_as_it_is_written() {
    for seed in 1..=300 {
        let schedule = generate(seed, None);
        assert_eq!(schedule.to_string().parse::<Schedule>().unwrap(), schedule);
    }
}
