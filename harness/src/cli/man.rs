//! `firedrill man`: the manual, made of the help.

use clap::CommandFactory;
use clap_mangen::{Man, generate_to};

use super::args::{Args, ManArgs};
use super::exit::{Failure, Status};
use super::out;

/// Prints the page of `firedrill`, or writes it and a page for each command into a folder.
pub fn run(args: &ManArgs) -> Result<Status, Failure> {
    let command = Args::command();
    match &args.out {
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| generate_to(command, folder))
            .map_err(|error| Failure::File(format!("cannot write the manual into {}: {error}", folder.display())))?,
        None => out::stream(|page| Man::new(command).render(page))
            .map_err(|error| Failure::File(format!("cannot print the manual: {error}")))?,
    }
    Ok(Status::Passed)
}
