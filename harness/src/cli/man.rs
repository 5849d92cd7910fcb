//! `firedrill man`: the manual, made of the help.

use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::args::{Args, ManArgs};
use super::exit::{Failure, Status};
use super::out;

/// Prints the page of `firedrill`, or writes it and a page for each command into a folder.
pub fn run(args: &ManArgs) -> Result<Status, Failure> {
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    match &args.out {
        Some(folder) => save(command, folder)
            .map_err(|error| Failure::File(format!("cannot write the manual into {}: {error}", folder.display())))?,
        None => out::stream(|page| render(command, page))
            .map_err(|error| Failure::File(format!("cannot print the manual: {error}")))?,
    }
    Ok(Status::Passed)
}

/// Writes a page for the command, and one for each command within it.
fn save(command: clap::Command, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for within in command.get_subcommands().filter(|within| !within.is_hide_set()) {
        save(within.clone(), folder)?;
    }
    let mut page = Vec::new();
    let file = folder.join(Man::new(command.clone()).get_filename());
    render(command, &mut page)?;
    std::fs::write(file, page)
}

/// Renders a page. Like `Man::render`, but what ends the help keeps its lines: it is a table of exit statuses or commands.
fn render(command: clap::Command, page: &mut dyn Write) -> io::Result<()> {
    let notes = command.get_after_help().map(|text| text.to_string());
    let (arguments, commands) = (command.get_arguments().count() > 0, command.has_subcommands());
    let versioned = command.get_version().is_some();
    let man = Man::new(command);
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    if arguments {
        man.render_options_section(page)?;
    }
    if commands {
        man.render_subcommands_section(page)?;
    }
    if let Some(notes) = notes {
        let mut section = Roff::new();
        section.control("SH", ["NOTES"]).control("nf", []);
        for line in notes.lines() {
            section.text([roman(line)]);
        }
        section.control("fi", []);
        section.to_writer(page)?;
    }
    if versioned { man.render_version_section(page) } else { Ok(()) }
}
