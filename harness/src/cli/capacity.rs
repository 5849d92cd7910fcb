//! `firedrill capacity`: searches for the highest rate at which a target meets its objectives.

use std::path::PathBuf;
use std::sync::Arc;

use firedrill_capacity::{Phase, Trial};
use firedrill_reports::capacity::{CAPACITY_FILE, CAPACITY_PAGE, Capacity, Change, Knee, Step};
use firedrill_reports::{render_capacity, terminal, text};
use tokio_util::sync::CancellationToken;

use super::args::CapacityArgs;
use super::exit::{Failure, Status};
use super::out;
use super::panics::Panics;
use super::progress::{Progress, Screen};
use super::redis::external;
use super::signals;
use super::source::source;
use super::told::style;
use crate::capacity::{Question, Slo, Watcher, find};
use crate::drill::{self, Drill, Planned, RedisChoice};

/// Searches, prints the answer and writes its files.
pub fn run(args: &CapacityArgs) -> Result<Status, Failure> {
    let earlier = args.check.as_deref().map(Capacity::load).transpose();
    let earlier = earlier.map_err(|error| Failure::File(format!("--check: {error}")))?;
    let stop = CancellationToken::new();
    let mut planned = plan(args, &stop)?;
    let question = question(args, &planned)?;
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
    let found = runtime.block_on(find(planned, question, progress.clone()));
    progress.finish();
    let (capacity, dir) = found?;

    let wrote = |path: PathBuf, error: &dyn std::fmt::Display| {
        Failure::Environment(format!("{error}; the answer is above, and {} was not written", path.display()))
    };
    out::print(terminal::capacity(&capacity, style()));
    capacity.save(&dir).map_err(|error| wrote(dir.join(CAPACITY_FILE), &error))?;
    let page = dir.join(CAPACITY_PAGE);
    std::fs::write(&page, render_capacity(&capacity)).map_err(|error| wrote(page.clone(), &error))?;
    out::line(format_args!("report  {}", page.display()));

    let checked = earlier.map_or(Status::Passed, |earlier| check(&capacity, &earlier));
    let answered = match (&capacity.knee, capacity.interrupted) {
        (_, true) => Status::Interrupted,
        (Knee::Unknown { .. }, _) => Status::Inconclusive,
        _ => Status::Passed,
    };
    panics.failure().map_or(Ok(checked.worse(answered)), Err)
}

fn plan(args: &CapacityArgs, stop: &CancellationToken) -> Result<Planned, Failure> {
    let redis = match args.redis.as_str() {
        "managed" => RedisChoice::Managed(args.redis_server.clone()),
        url => RedisChoice::External(external(url, &args.trust)?),
    };
    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(drill::folder_name()));
    let drill = Drill::from_source(source(&args.scenario)?)
        .redis_choice(redis)
        .session_server(args.session_server.clone())
        .workers(args.workers)
        .out(dir)
        .stop(stop.clone());
    Ok(args.changes.apply(drill).plan()?)
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
    let objectives: String = args.slos.iter().map(|slo| format!(" --slo '{}'", slo.text())).collect();
    let again = planned.replay().replacen("firedrill run", "firedrill capacity", 1);
    Ok(Question {
        objectives: args.slos.clone(),
        budget: args.budget.0,
        width: args.width.0,
        start: args.start.0,
        replay: format!("{again}{objectives} --for {} --width {} --start {}", args.budget, args.width, args.start),
    })
}

/// Whether an earlier answer is one to the same question.
fn comparable(earlier: &Capacity, objectives: &[Slo], planned: &Planned) -> Result<(), Failure> {
    let scenario = &planned.plan().scenario;
    let named = |capacity: &Capacity| -> Vec<String> {
        let mut texts: Vec<String> = capacity.objectives.iter().map(|objective| objective.text.clone()).collect();
        texts.sort();
        texts
    };
    let mut asked: Vec<String> = objectives.iter().map(|slo| slo.text().to_owned()).collect();
    asked.sort();
    let differs = [
        ("scenario", earlier.scenario.clone(), scenario.name.clone()),
        ("target", earlier.target.clone(), scenario.target.kind.name().to_owned()),
        ("objectives", named(earlier).join(", "), asked.join(", ")),
    ];
    match differs.iter().find(|(_, then, now)| then != now) {
        None => Ok(()),
        Some((what, then, now)) => {
            Err(Failure::Usage(format!("--check: the earlier answer is for other {what}: {then}, now {now}")))
        }
    }
}

/// Says how the answer relates to an earlier one.
fn check(capacity: &Capacity, earlier: &Capacity) -> Status {
    let range = |of: &Capacity| match of.knee.range() {
        Some((low, high)) if high.is_finite() => format!("{} to {}", text::rate(low), text::rate(high)),
        Some((low, _)) => format!("at least {}", text::rate(low)),
        None => "no answer".to_owned(),
    };
    let (now, then) = (range(capacity), range(earlier));
    let (words, status) = match capacity.changed_since(earlier) {
        Some(Change::None) => ("no difference is shown: the intervals overlap", Status::Passed),
        Some(Change::Lower) => ("lower than before", Status::Regressed),
        Some(Change::Higher) => ("higher than before", Status::Regressed),
        None => ("nothing to compare", Status::Inconclusive),
    };
    out::line(format_args!("check   {words}\n        now {now}, then {then}"));
    status
}

impl Watcher for Progress {
    fn begins(&self, trial: &Trial) {
        let doing = match trial.phase {
            Phase::Ceiling => "the generator by itself",
            Phase::Climb => "climbing",
            Phase::Bracket => "closing in",
            Phase::Repeat => "repeating around the knee",
        };
        let longer = if trial.extends { ", longer, to tell" } else { "" };
        self.now(&format!("{doing}: {} for {} s{longer}", text::rate(trial.rate), trial.seconds));
    }

    fn ended(&self, step: &Step) {
        let on = if step.of_target { "" } else { "by itself " };
        let why = if step.why.is_empty() { String::new() } else { format!("  ({})", step.why) };
        let (rate, p99) = (text::rate(step.rate), text::millis(step.p99_ms));
        self.line(&format!("{on}{rate:>9}  {:>2} s  p99 {p99:>8}  {}{why}", step.seconds, step.verdict.name()));
    }
}
