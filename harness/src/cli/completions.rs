//! `firedrill completions`: what a shell offers while a command is typed, the names of the shipped scenarios included.

use clap::{Arg, CommandFactory};
use clap_complete::Shell;

use super::args::{Args, CompletionArgs};
use super::exit::{Failure, Status};
use super::out;
use crate::scenario::shipped;

/// Writes the completions to stdout.
pub fn run(args: &CompletionArgs) -> Result<Status, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "firedrill", &mut script);
    let script = String::from_utf8_lossy(&script);
    let names = shipped().iter().map(|shipped| shipped.name).collect::<Vec<_>>().join(" ");
    out::print(match args.shell {
        // Zsh would offer the names alone, and no file.
        Shell::Zsh => script.replace(&format!(":({names})'"), &format!(":{{compadd {names}; _files -g \"*.toml\"}}'")),
        // The generator for fish knows no arguments without a flag.
        Shell::Fish => of_scenarios().iter().fold(script.into_owned(), |script, command| {
            let when = format!("__fish_firedrill_using_subcommand {command}");
            format!("{script}complete -c firedrill -n \"{when}\" -a \"{names}\" -d \"shipped scenario\"\n")
        }),
        _ => script.into_owned(),
    });
    Ok(Status::Passed)
}

/// The commands that take a scenario by name.
fn of_scenarios() -> Vec<String> {
    let shipped = |name: &str| shipped().iter().any(|shipped| shipped.name == name);
    let names = |arg: &Arg| arg.get_possible_values().iter().any(|value| shipped(value.get_name()));
    let command = Args::command();
    let takers = command.get_subcommands().filter(|command| command.get_positionals().any(names));
    takers.map(|command| command.get_name().to_owned()).collect()
}
