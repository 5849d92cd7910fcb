//! Drills whose verdict depends on what a figure counts: rates and quantiles while nothing answers, loads below one
//! operation per second, one load block next to another.

use firedrill_reports::run::GateVerdict;

use super::row::Failure::Gate;
use super::row::{INCONCLUSIVE, Row, own};
use crate::support::drill::{FinishedDrill, Places};

/// All rows.
pub fn rows() -> Vec<Row> {
    vec![
        own("stands-still", include_str!("texts/stands-still.toml"))
            .only_changed()
            .fails("rates_count_answers_and_a_closed_loop_is_corrected", &[], &[Gate("during.rate")])
            .shows(|done| {
                let run = done.run();
                let gate = |name: &str| run.gates.iter().find(|gate| gate.name == name).unwrap();
                let plain = gate("load.closed.p90");
                assert!(plain.note.contains("what users did not send while they waited"), "{plain:?}");
                // Check the figures; on a busy machine, the gates on them may be unknown.
                for name in ["load.open.p90", "load.closed.corrected.p90"] {
                    let gate = gate(name);
                    assert!(gate.verdict != GateVerdict::Pass && gate.actual > plain.actual, "{gate:?}");
                }
                assert!(!run.generator.saturated, "the target's stall is not the generator's: {:?}", run.generator);
            }),
        own("now-and-then", include_str!("texts/now-and-then.toml")).shows(asked_for_as_written),
        own("hardly-any", include_str!("texts/hardly-any.toml")).ends_with(INCONCLUSIVE).shows(|done| {
            let run = done.run();
            assert!(!run.generator.saturated, "{:?}", run.generator);
        }),
        // In an unoptimised build 5 MB are seconds of a core.
        own("small-beside-large", include_str!("texts/small-beside-large.toml"))
            .takes(Places::Machine)
            .only_changed()
            .fails_only("each_load_is_held_to_its_own_limit", &[], &[Gate("load.large.p50")]),
    ]
}

/// Rate and length are the scenario's, however few operations there are.
fn asked_for_as_written(done: &FinishedDrill) {
    let run = done.run();
    assert!(run.generator.target_rate.is_some_and(|rate| (rate - 1.0 / 3.0).abs() < 1e-9), "{:?}", run.generator);
    let (first, last) = (run.phases.first().unwrap(), run.phases.last().unwrap());
    assert_eq!((first.figures.from_ms, last.figures.to_ms), (0.0, 14_000.0), "{:?}", run.phases);
}
