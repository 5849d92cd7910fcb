//! Runs a test again in a separate process, for tests that concern the whole process: its threads, its end.

use std::process::Command;

/// A command that runs the test `name` of `module` (as `module_path!()` gives it) in a process where no other test runs.
pub fn again(module: &str, name: &str) -> Command {
    let module = module.split_once("::").map_or("", |(_, within)| within);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("{module}::{name}"), "--nocapture"]);
    command
}
