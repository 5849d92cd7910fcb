//! Whole drills through the command: a test for every shipped scenario, for every change that must fail it, and for
//! what their figures say.
//!
//! Shipped scenarios with the tag `ci` run, the rest is ignored. `FIREDRILL_TEST_SCENARIOS=all` runs all of them,
//! `=3/8` also runs the third eighth of the rest, and a filter with `--include-ignored` works too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod defects;
mod figures;
mod latency;
mod own;
mod row;
mod selection;
mod shipped;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use firedrill::scenario::shipped_named;
use libtest_mimic::{Arguments, Trial};

use selection::Selection;

/// Drills wait for room on the machine, and mostly for their clocks: their threads do not need a core each.
const THREADS: usize = 8;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    libtest_mimic::run(&arguments, trials(&Selection::from_env())).exit_code()
}

fn trials(selection: &Selection) -> Vec<Trial> {
    let measured: [(&str, fn()); 2] = [
        (
            "latency::a_latency_of_50_ms_shows_as_50_ms_for_small_and_large_sessions",
            latency::a_latency_of_50_ms_shows_as_50_ms_for_small_and_large_sessions,
        ),
        (
            "latency::a_stall_of_2_s_shows_in_the_response_time_as_arithmetic_says_and_not_in_the_service_time",
            latency::a_stall_of_2_s_shows_in_the_response_time_as_arithmetic_says_and_not_in_the_service_time,
        ),
    ];
    let test = |(name, body): (&str, fn())| {
        Trial::test(name, move || {
            body();
            Ok(())
        })
    };
    let complete: [(&str, fn()); 2] = [
        ("every_shipped_scenario_has_one_row", every_shipped_scenario_has_one_row),
        ("every_row_can_fail", every_row_can_fail),
    ];
    let mut trials: Vec<Trial> = complete.into_iter().map(test).collect();
    let (shipped, own) = (shipped::rows(), own::rows());
    let others: Vec<&row::Row> = shipped.iter().chain(&own).collect();
    let (of_shipped, planted): (Vec<_>, Vec<_>) =
        defects::rows(&others).into_iter().partition(|row| shipped_named(row.name()).is_ok());
    trials.extend(selection.of(shipped));
    trials.extend(selection.of(of_shipped));
    trials.extend(selection.of(planted));
    trials.extend(figures::rows().into_iter().chain(own).flat_map(row::Row::trials));
    trials.extend(measured.into_iter().map(test));
    trials
}

fn every_shipped_scenario_has_one_row() {
    let mut rows: Vec<&str> = shipped::rows().iter().map(row::Row::name).collect();
    let mut shipped: Vec<&str> = firedrill::scenario::shipped().iter().map(|scenario| scenario.name).collect();
    rows.sort_unstable();
    shipped.sort_unstable();
    assert_eq!(rows, shipped);
}

/// Shipped scenarios that no change in their row can fail. The list may only become shorter.
const NOTHING_FAILS: [&str; 8] = [
    "slow-line",
    "slow-commands",
    "idle-connections",
    "scripts-forgotten",
    "eviction",
    "keys-deleted",
    "keys-corrupted",
    "clock-skew",
];

fn every_row_can_fail() {
    let never: Vec<&str> = shipped::rows().iter().filter(|row| !row.can_fail()).map(row::Row::name).collect();
    assert_eq!(never, NOTHING_FAILS);
}
