//! Step 10: the record of the drill, and the report rendered from it.

use std::path::{Path, PathBuf};

use firedrill_reports::Run;
use firedrill_reports::run::{Fact, ResourceSample, Scenario};
use firedrill_reports::text::rfc3339;

use super::Options;
use super::analysis::Findings;
use super::collector::{HISTORY_FILE, LATENCY_FILE};
use super::error::DrillError;
use super::verdict::exit_status;
use crate::history::History;
use crate::lab::{APP_LOG, Lab, default_parent};
use crate::plan::Plan;
use crate::scenario::TargetKind;

/// The report within a run's folder.
const REPORT_FILE: &str = "report.html";

/// Puts everything that was found into the record of a run.
pub fn record(
    plan: &Plan,
    options: &Options,
    history: &History,
    findings: Findings,
    resources: Vec<ResourceSample>,
) -> Run {
    let scenario = &plan.scenario;
    let epoch = std::time::UNIX_EPOCH + std::time::Duration::from_millis(history.header.epoch_ms.unsigned_abs());
    let mut run = Run {
        firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: Scenario { name: scenario.name.clone(), about: scenario.about.clone(), tags: scenario.tags.clone() },
        verdict: findings.verdict,
        reasons: findings.reasons,
        exit_status: exit_status(findings.verdict),
        seed: plan.seed,
        replay: options.replay.clone(),
        started_at: rfc3339(epoch),
        load_seconds: findings.load_seconds,
        config: toml::to_string(scenario).unwrap_or_else(|error| format!("# cannot be written as TOML: {error}\n")),
        gates: findings.gates,
        checks: findings.checks,
        generator: findings.generator,
        faults: findings.faults,
        phases: findings.phases,
        recovery_ms: findings.recovery_ms,
        recovered_at_ms: findings.recovered_at_ms,
        recovery_note: findings.recovery_note,
        fallback: findings.fallback,
        store: findings.store,
        timeline: findings.timeline,
        percentile_curves: findings.curves,
        errors: findings.errors,
        resources,
        ..Run::default()
    };
    run.file(HISTORY_FILE, "every operation, invocation and completion, and what happened beside them");
    run.file(LATENCY_FILE, "HdrHistogram V2 interval log of service, slip and response times");
    if scenario.target.kind == TargetKind::App {
        run.file(APP_LOG, "what the application wrote to its log");
    }
    run.file(REPORT_FILE, "this run for a person to read");
    run
}

/// What the drill ran on, in the order to be shown.
pub async fn environment(plan: &Plan, lab: &Lab) -> Vec<Fact> {
    let scenario = &plan.scenario;
    let fact = |key: &str, value: String| Fact { key: key.to_owned(), value };
    let redis = match lab.info().await {
        Ok(info) => info.version,
        Err(_) => "not answering at the end".to_owned(),
    };
    let mut facts = vec![fact("redis", redis)];
    match lab.is_managed() {
        true => {
            facts.push(fact("persistence", scenario.lab.redis.persistence.to_string()));
            facts.push(match lab.image() {
                Some(image) => fact("in a container of", image.to_owned()),
                None => fact("data in", default_parent().display().to_string()),
            });
        }
        false => facts.push(fact("redis at", lab.url().to_string())),
    }
    match scenario.target.kind {
        TargetKind::Store | TargetKind::App => {
            let target = match scenario.target.kind {
                TargetKind::App => "app (session-server as a child process, over HTTP)",
                _ => "store (the storage crate, in process)",
            };
            facts.push(fact("target", target.to_owned()));
            facts.push(fact("policy", scenario.store.policy.to_string()));
            facts.push(fact("session TTL", scenario.store.ttl.to_string()));
        }
        TargetKind::Redis => facts.push(fact("target", "redis (plain GET and SET)".to_owned())),
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    facts.push(fact("processor", format!("{} ({cores} cores)", processor().unwrap_or_else(|| "unknown".to_owned()))));
    if let Ok(system) = nix::sys::utsname::uname() {
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        facts.push(fact(
            "system",
            format!("{} {} {}", text(system.sysname()), text(system.release()), text(system.machine())),
        ));
    }
    facts
}

/// The processor's name (`/proc/cpuinfo`); `None` where the system has no such file.
fn processor() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Renders `run` to `report.html` in `dir` and returns its path.
pub fn write_report(run: &Run, dir: &Path) -> Result<PathBuf, DrillError> {
    let path = dir.join(REPORT_FILE);
    match std::fs::write(&path, firedrill_reports::render_html(run)) {
        Ok(()) => Ok(path),
        Err(source) => Err(DrillError::Write { path, source }),
    }
}
