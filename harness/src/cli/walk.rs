//! `firedrill try`: walks one session through its operations and prints every request and answer.

use std::fmt::Write as _;

use super::args::TryArgs;
use super::exit::{Failure, Status};
use super::out;
use super::source::source;
use crate::drill::{Drill, RedisChoice, Walked};
use crate::history::{OpKind, Presence};
use crate::scenario::{Source, line_of};
use crate::targets::{Act, Walk};

/// Walks, prints, and says what is wrong.
pub fn run(args: &TryArgs) -> Result<Status, Failure> {
    let source = source(&args.file)?;
    let drill = Drill::from_source(source.clone()).redis_choice(RedisChoice::Managed(args.redis_server.clone()));
    let drill = args.changes.apply(drill).plan()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start a runtime: {error}")))?;
    let Some(Walked { walk, log_tail }) = runtime.block_on(drill.walk())? else {
        let message = format!("{}: `try` is for an application of your own: the file has no [app]", source.name);
        return Err(Failure::Usage(message));
    };
    for act in &walk.acts {
        out::print(in_lines(act));
    }
    match (&walk.wrong, walk.without_redis) {
        (Some(wrong), _) => {
            out::line(format_args!("\n{}: {wrong}", place(&source, &walk)));
            if !log_tail.is_empty() {
                out::line(format_args!("\nthe end of the application's log:\n{log_tail}"));
            }
            Ok(Status::Failed)
        }
        (None, true) => {
            out::line("\nthe application did not use the Redis it was given: no write reached it");
            Ok(Status::Inconclusive)
        }
        (None, false) => {
            out::line(format_args!("\nall {} operations do what {} says", walk.acts.len(), source.name));
            Ok(Status::Passed)
        }
    }
}

/// File and line of the step that went wrong.
fn place(source: &Source, walk: &Walk) -> String {
    let Some(act) = walk.acts.last() else { return source.name.clone() };
    let step = act.exchanges.len().saturating_sub(1).to_string();
    let path = ["op", act.kind.name(), "steps", &step].map(str::to_owned);
    match line_of(&source.text, &path) {
        Some(line) => format!("{}:{line}", source.name),
        None => source.name.clone(),
    }
}

fn in_lines(act: &Act) -> String {
    let mut text = format!("{}\n", act.kind.name());
    for exchange in &act.exchanges {
        let _ = writeln!(text, "  {}. {}", exchange.step, exchange.request);
        for with in &exchange.with {
            let _ = writeln!(text, "     > {with}");
        }
        match exchange.answer.is_empty() {
            true => text.push_str("     < no answer\n"),
            false => exchange.answer.iter().for_each(|line| {
                let _ = writeln!(text, "     < {line}");
            }),
        }
        for (name, value) in &exchange.captured {
            let _ = writeln!(text, "     {name} = {value}");
        }
    }
    let tokens = match act.tokens.as_slice() {
        [] => String::new(),
        [found] if act.kind == OpKind::Revisit => {
            format!(", {} under the id from before the renewal", if *found > 0 { "found" } else { "not found" })
        }
        tokens => format!(", tokens {}", tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
    };
    let seen = match (act.seen.writes, act.seen.bytes) {
        (Some(writes), Some(bytes)) => format!(", {writes} writes and {bytes} bytes to Redis"),
        (None, Some(bytes)) => format!(", {bytes} bytes to Redis"),
        (Some(writes), None) => format!(", {writes} writes to Redis"),
        (None, None) => String::new(),
    };
    let presence = match act.presence {
        Presence::Absent => ", no such session",
        _ => "",
    };
    let _ = writeln!(text, "  = {}{presence}{tokens}{seen}", act.outcome.name());
    text
}
