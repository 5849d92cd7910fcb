//! Step 10: the figures that complete the record of the drill, and the rendered report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firedrill_reports::Run;
use firedrill_reports::run::{Fact, REPORT_FILE};

use super::error::DrillError;
use super::recorder::{HISTORY_FILE, LATENCY_FILE};
use crate::lab::{AppProcess, Lab, default_parent};
use crate::plan::Plan;
use crate::target::fact;

/// Lists the files next to `run.json` in the record.
pub fn name_files(run: &mut Run, apps: &[Arc<AppProcess>]) {
    run.file(HISTORY_FILE, "every operation with its invocation and completion, and the events beside them");
    run.file(LATENCY_FILE, "HdrHistogram V2 interval log of service, slip and response times");
    for app in apps {
        if let Some(log) = app.log_name() {
            run.file(&log, format!("what {} wrote to its log", app.called()));
        }
    }
    run.file(REPORT_FILE, "this run as a page");
}

/// What the drill ran on, in display order; `target` is the target's description of itself.
pub async fn environment(plan: &Plan, lab: &Lab, target: Vec<Fact>) -> Vec<Fact> {
    let scenario = &plan.scenario;
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
    facts.extend(target);
    facts.extend(checkout().await.map(|commit| fact("git commit", commit)));
    facts.push(fact("firedrill build", concat!(env!("FIREDRILL_BUILD"), ", commit ", env!("FIREDRILL_COMMIT_TEXT"))));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    facts.push(fact("processor", format!("{} ({cores} cores)", processor().unwrap_or_else(|| "unknown".to_owned()))));
    if let Ok(system) = nix::sys::utsname::uname() {
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        facts.push(fact("host", text(system.nodename())));
        facts.push(fact(
            "system",
            format!("{} {} {}", text(system.sysname()), text(system.release()), text(system.machine())),
        ));
    }
    facts
}

/// The CPU model (`/proc/cpuinfo`); `None` if the system has no such file.
fn processor() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The commit that is checked out in the current folder, with `-dirty` where files differ from it; `None` without git, or
/// outside a repository.
async fn checkout() -> Option<String> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut git = tokio::process::Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .env("GIT_OPTIONAL_LOCKS", "0")
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, git.output()).await.ok()?.ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}

/// Renders `run` to `report.html` in `dir` and returns its path.
pub fn write_report(run: &Run, dir: &Path) -> Result<PathBuf, DrillError> {
    let path = dir.join(REPORT_FILE);
    match std::fs::write(&path, firedrill_reports::render_html(run)) {
        Ok(()) => Ok(path),
        Err(source) => Err(DrillError::Write { path, source }),
    }
}
