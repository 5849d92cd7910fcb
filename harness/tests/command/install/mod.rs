//! How Firedrill reaches a machine and a pipeline: packages, the static binary, the image, the templates.

mod packages;
mod release;
mod templates;

use std::path::Path;
use std::process::{Command, Output};

use crate::support::docker::text;

/// What a command printed to stdout; it must succeed.
fn printed(command: &mut Command) -> String {
    let Output { stdout, .. } = succeeded(command);
    String::from_utf8(stdout).unwrap()
}

fn succeeded(command: &mut Command) -> Output {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}\n{}", done.status, text(&done));
    done
}

/// Half a second of load, with more of the scenario after it.
fn short_scenario(folder: &Path, name: &str, more: &str) {
    let load = "[[load]]\nrate = \"50/s\"\nfor = \"500ms\"\nsessions = 10\nmix = { read = 1, append = 1 }\n";
    let scenario = format!("name = \"{name}\"\nabout = \"Reads and appends.\"\n{load}{more}");
    std::fs::write(folder.join(format!("{name}.toml")), scenario).unwrap();
}
