//! The `firedrill` command. Each subcommand has its own file; this one parses the command line and turns the result
//! into an exit status.

mod args;
mod baseline;
mod capacity;
mod check;
mod ci;
mod compare;
mod completions;
mod doctor;
mod evidence;
mod exit;
mod export;
mod given;
mod heal;
mod history;
mod init;
mod jobs;
mod list;
mod man;
mod operations;
mod out;
mod panics;
mod progress;
mod proxy;
mod recorded;
mod redis;
mod report;
mod run;
mod runs;
mod schema;
mod selftest;
mod serve;
mod show;
mod signals;
mod source;
mod told;
mod version;
mod walk;
mod watching;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// Runs this process's command line.
pub fn main() -> ExitCode {
    let args = Args::parse_from(args::with_two_dashes(std::env::args_os()));
    logging();
    let done = match args.command {
        Command::Run(args) => run::run(&args),
        Command::Capacity(args) => capacity::run(&args),
        Command::List(args) => list::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Try(args) => walk::run(&args),
        Command::Heal(args) => heal::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Evidence(args) => evidence::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Export(args) => export::run(&args),
        Command::History(args) => operations::run(&args),
        Command::Selftest(args) => selftest::run(&args),
        Command::Proxy(args) => proxy::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Schema => schema::run(),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    match done {
        Ok(status) => status.into(),
        Err(failure) => {
            failure.print();
            failure.status().into()
        }
    }
}

/// Log lines go to stderr, errors only unless `RUST_LOG` says otherwise: the results of a drill are in its report. A proxy
/// that other machines can use is no error, and is said all the same.
fn logging() {
    use tracing_subscriber::EnvFilter;
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error,firedrill_proxy::exposed=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(exit::colour()).init();
}
