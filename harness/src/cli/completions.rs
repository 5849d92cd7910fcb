//! `firedrill completions`: what a shell offers while a command is typed, the names of the shipped scenarios included.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::{Args, CompletionArgs};
use super::exit::{Failure, Status};
use super::out;
use crate::scenario::shipped;

/// Commands that take scenarios, for the shell whose generator knows no arguments without a flag.
const OF_SCENARIOS: [&str; 2] = ["run", "show"];

/// Writes the completions to stdout.
pub fn run(args: &CompletionArgs) -> Result<Status, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "firedrill", &mut script);
    let script = String::from_utf8_lossy(&script);
    let names = shipped().iter().map(|shipped| shipped.name).collect::<Vec<_>>().join(" ");
    out::print(match args.shell {
        // Zsh would offer the names alone, and no file.
        Shell::Zsh => script.replace(&format!(":({names})'"), &format!(":{{compadd {names}; _files -g \"*.toml\"}}'")),
        Shell::Fish => OF_SCENARIOS.iter().fold(script.into_owned(), |script, command| {
            let when = format!("__fish_firedrill_using_subcommand {command}");
            format!("{script}complete -c firedrill -n \"{when}\" -a \"{names}\" -d \"shipped scenario\"\n")
        }),
        _ => script.into_owned(),
    });
    Ok(Status::Passed)
}
