//! `firedrill capacity`: searches for the highest rate at which a target meets its objectives.

mod check;
mod more;
mod order;
mod watched;

use std::path::PathBuf;
use std::sync::Arc;

use firedrill_reports::capacity::{CAPACITY_FILE, CAPACITY_PAGE, Capacity, DriftVerdict, Knee, Soak, SurvivableAnswer};
use firedrill_reports::{render_capacity, terminal};
use tokio_util::sync::CancellationToken;

use self::check::{check, comparable};
use self::more::More;
use self::order::{drill, folder};
use super::args::CapacityArgs;
use super::exit::{Failure, Status};
use super::out;
use super::panics::Panics;
use super::progress::{Progress, Screen};
use super::signals;
use super::told::style;
use crate::capacity::{Question, SoakQuestion, find, halve_connections};
use crate::drill::{DrillError, Planned, RedisChoice};

/// Searches, prints the answer and writes its files.
pub fn run(args: &CapacityArgs) -> Result<Status, Failure> {
    let earlier = args.check.as_deref().map(Capacity::load).transpose();
    let earlier = earlier.map_err(|error| Failure::File(format!("--check: {error}")))?;
    let stop = CancellationToken::new();
    let folder = folder(args);
    let mut planned = drill(args, folder.clone(), &stop)?.plan()?;
    let more = More::of(args, planned.dir(), &planned, &stop)?;
    let question = question(args, &planned)?;
    let halved = halved(args, &planned, &stop)?;
    if let Some(earlier) = &earlier {
        comparable(earlier, &question.objectives, &planned)?;
    }
    let panics = Panics::watch(stop.clone());
    signals::watch(stop.clone(), "writing what is known so far")?;

    let screen = Screen::default();
    let progress = Arc::new(Progress::start(&screen, &planned.plan().scenario.name));
    planned.observe(progress.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start a runtime: {error}")))?;
    let found = runtime.block_on(async {
        let (mut capacity, dir, then) = find(planned, question.clone(), progress.clone()).await?;
        let then = match (then, halved) {
            (Ok(()), Some(halved)) if !stop.is_cancelled() => {
                halve_connections(&mut capacity, halved, &question, progress.clone()).await
            }
            (then, _) => then,
        };
        let answered = match then {
            Ok(()) => more.answer(args, &dir, &mut capacity, &progress).await,
            failed => failed,
        };
        capacity.interrupted = stop.is_cancelled();
        Ok::<_, DrillError>((capacity, dir, answered))
    });
    progress.finish();
    let (capacity, dir, answered) = found?;

    let wrote = |path: PathBuf, error: &dyn std::fmt::Display| {
        Failure::Environment(format!("{error}; the answer is above, and {} was not written", path.display()))
    };
    out::print(terminal::capacity(&capacity, style()));
    capacity.save(&dir).map_err(|error| wrote(dir.join(CAPACITY_FILE), &error))?;
    let page = dir.join(CAPACITY_PAGE);
    std::fs::write(&page, render_capacity(&capacity)).map_err(|error| wrote(page.clone(), &error))?;
    out::line(format_args!("report  {}", page.display()));

    answered?;
    let checked = earlier.map_or(Status::Passed, |earlier| check(&capacity, &earlier));
    let answered = match (&capacity.knee, capacity.interrupted) {
        (_, true) => Status::Interrupted,
        (Knee::Unknown { .. }, _) => Status::Inconclusive,
        _ if capacity.survivable.as_ref().is_some_and(|found| found.answer == SurvivableAnswer::Unknown) => {
            Status::Inconclusive
        }
        _ => Status::Passed,
    };
    let soaked = match capacity.soak.as_ref().and_then(Soak::verdict) {
        Some(DriftVerdict::Failed) => Status::Failed,
        Some(DriftVerdict::Undecided) => Status::Inconclusive,
        Some(DriftVerdict::Passed) | None => Status::Passed,
    };
    panics.failure().map_or(Ok(checked.worse(answered).worse(soaked)), Err)
}

/// The same drill with half of the connections, for `--confirm`; `None` without it, or with one connection.
fn halved(args: &CapacityArgs, planned: &Planned, stop: &CancellationToken) -> Result<Option<Planned>, Failure> {
    let half = planned.plan().scenario.target.connections / 2;
    if !args.confirm || half == 0 {
        return Ok(None);
    }
    let drill = drill(args, planned.dir().join("halved"), stop)?.seed(planned.plan().seed);
    // A target that has no such number has another limit.
    Ok(drill.set("target.connections", half).plan().ok())
}

fn question(args: &CapacityArgs, planned: &Planned) -> Result<Question, Failure> {
    let kind = planned.plan().scenario.target.kind;
    for slo in &args.slos {
        let sent = |op| planned.plan().load.blocks().iter().any(|block| block.mix.weight(op) > 0.0);
        if let Some(op) = slo.op().filter(|op| !sent(*op)) {
            let (name, kind) = (op.name(), kind.name());
            return Err(Failure::Usage(format!(
                "--slo \"{}\": the scenario sends no {name} to the {kind} target; its mix does not have it",
                slo.text()
            )));
        }
    }
    if args.start.0 < 1.0 {
        return Err(Failure::Usage("--start: the first rate is at least 1/s".to_owned()));
    }
    if args.width.0 <= 0.0 {
        return Err(Failure::Usage("--width: no search makes an interval that narrow; give at least 1%".to_owned()));
    }
    if args.confirm && matches!(planned.redis(), RedisChoice::External(_)) {
        return Err(Failure::Usage(
            "--confirm stops a Redis half of the time, which Firedrill does only to its own; leave out --redis"
                .to_owned(),
        ));
    }
    let again = planned.replay().replacen("firedrill run", "firedrill capacity", 1);
    Ok(Question {
        objectives: args.slos.clone(),
        budget: args.budget.0,
        width: args.width.0,
        start: args.start.0,
        confirm: args.confirm,
        soak: args.soak.map(|length| SoakQuestion { length: length.0, share: args.at.0, limit: args.drift }),
        replay: format!("{again}{}", args.asked()),
    })
}
