//! The planted defects: each is shown by its own sequence and only with it, and at least half are not shown by the contract
//! suite. Everything runs on the simulated server and on a clock that stands still while any task can run.

pub mod bed;
mod probes;

use std::collections::BTreeSet;
use std::path::Path as FilePath;
use std::time::Duration;

use firedrill_storage::planted::{self, Planted, Shown};
use firedrill_storage::{StoreBuilder, TriviaSession};
use firedrill_storage_sim::oracle::judge;
use firedrill_storage_sim::quiet_panics;
use firedrill_storage_sim::run::{reported, run};
use firedrill_storage_sim::schedule::Schedule;
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::contract::matrix::PROMISES;
use bed::{Bed, runtime};
use probes::PROBES;

#[test]
fn each_planted_defect_is_shown_by_its_own_sequence_and_only_with_it() {
    quiet_panics();
    let mut wrong = Vec::new();
    for defect in planted::ALL {
        let (without, with) = match defect.shown_by {
            Shown::Schedule(schedule) => (scheduled(schedule, None), scheduled(schedule, Some(defect))),
            Shown::Probe => (probed(defect, None), probed(defect, Some(defect))),
        };
        for (is_right, what) in [(without.is_ok(), "fails without it"), (with.is_err(), "passes with it")] {
            if !is_right {
                wrong.push(format!("{}: its sequence {what}: {without:?}, {with:?}", defect.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), planted::ALL.len(), wrong.join("\n"));
}

/// Runs a schedule. `Err`: it breaks a promise, or costs something that the store has to report.
fn scheduled(text: &str, defect: Option<&'static Planted>) -> Result<(), String> {
    let mut schedule: Schedule = text.parse().unwrap();
    schedule.setting.planted = defect.map(|defect| defect.name);
    let run = run(&schedule);
    if let Some(broken) = judge(&schedule, &run).first() {
        return Err(broken.to_string());
    }
    match run.stats.iter().map(reported).sum::<u64>() {
        0 => Ok(()),
        // The panic of a merge costs what the other copy had.
        _ if text.contains("panic") => Ok(()),
        lost => Err(format!("reports {lost} as lost")),
    }
}

fn probed(defect: &Planted, planted: Option<&'static Planted>) -> Result<(), String> {
    let Some((_, probe)) = PROBES.iter().find(|(name, _)| *name == defect.name) else {
        return Err("has no probe".to_owned());
    };
    runtime().block_on(async { probe(Bed::new(planted)).await })
}

#[test]
fn every_probe_is_that_of_a_defect() {
    let probed = planted::ALL.iter().filter(|defect| matches!(defect.shown_by, Shown::Probe));
    let probed: BTreeSet<_> = probed.map(|defect| defect.name).collect();
    assert_eq!(probed, PROBES.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>());
}

#[test]
fn at_least_half_of_the_defects_keep_every_promise_of_the_contract_suite() {
    let half = planted::ALL.len().div_ceil(2);
    let (keep, others): (Vec<_>, Vec<_>) = planted::ALL.iter().partition(|defect| defect.keeps_contract);
    assert!(keep.len() >= half, "only {} of {}", keep.len(), planted::ALL.len());
    // The rest would show no more, and take as long.
    for defect in keep.into_iter().take(half).chain(others) {
        let broken = broken_promises(defect);
        assert_eq!(broken.is_empty(), defect.keeps_contract, "{} breaks {broken:?}", defect.name);
    }
}

/// The promises that a store with this defect breaks while nothing goes wrong.
fn broken_promises(defect: &'static Planted) -> Vec<&'static str> {
    runtime().block_on(async {
        let together = LocalSet::new();
        let running = PROMISES.iter().map(|(name, promise)| {
            let bed = Bed::new(Some(defect));
            let kept = async move {
                // A busy machine is no outage, and a busy simulation neither.
                let patient = Duration::from_secs(60);
                let settings = StoreBuilder { command_timeout: patient, ..bed.settings(&bed.path()) };
                let built = settings.build::<TriviaSession>().unwrap();
                timeout(patient, promise(built.store.clone())).await.is_ok()
            };
            (*name, together.spawn_local(kept))
        });
        let running: Vec<_> = running.collect();
        together.await;
        let mut broken = Vec::new();
        for (name, kept) in running {
            if !kept.await.unwrap_or(false) {
                broken.push(name);
            }
        }
        broken
    })
}

#[test]
fn nothing_that_is_shipped_enables_the_planted_defects() {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let workspace = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = workspace.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
    let members = members.trim_end_matches(']').split(", ").map(|member| member.trim_matches('"'));
    let mut seen = 0;
    for manifest in [""].into_iter().chain(members).map(|member| root.join(member).join("Cargo.toml")) {
        let text = std::fs::read_to_string(&manifest).unwrap();
        let mut section = "";
        for line in text.lines().filter(|line| line.contains("planted") && !line.starts_with('#')) {
            section = section_of(&text, line);
            // The feature itself, which is off unless asked for, and what only tests are built with.
            let allowed = section == "[features]" && line.starts_with("planted = [") || section == "[dev-dependencies]";
            assert!(allowed, "{}, {section}: {line}", manifest.display());
        }
        seen += usize::from(!section.is_empty());
    }
    assert!(seen >= 2, "no feature `planted` was found");
}

/// The heading above a line of a manifest.
fn section_of<'a>(text: &'a str, line: &str) -> &'a str {
    let before = &text[..text.find(line).unwrap()];
    before.lines().rfind(|line| line.starts_with('[')).unwrap_or_default()
}

#[test]
fn the_documentation_holds_the_registry_as_it_is_generated() {
    let page = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../docs/storage.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("<!-- planted: generated from the registry -->\n").unwrap();
    let (shown, _) = rest.split_once("<!-- end of planted -->").unwrap();
    let table = planted::markdown();
    assert!(shown == table, "docs/storage.md is not what the registry says; the table is\n{table}");
}

#[test]
fn an_unknown_defect_is_refused_by_name() {
    let error = StoreBuilder::new("redis://localhost").planted("none-such").err().unwrap();
    assert!(error.to_string().contains("no planted defect `none-such`: use one of "), "{error}");
}
