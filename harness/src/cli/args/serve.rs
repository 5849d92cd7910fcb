//! The command line of `firedrill serve`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// What the help says at its end.
pub(super) const HELP: &str = "\
The pages are for this machine: they are served on 127.0.0.1, and only with the token in the printed URL.
Nothing is changed or deleted. SIGINT ends the command.
Exit status:
    0  it was ended
    2  there is no folder DIR
    4  the port is not available";

#[derive(Debug, ClapArgs)]
pub struct ServeArgs {
    /// The folder to look through.
    #[arg(value_name = "DIR", default_value = "runs")]
    pub dir: PathBuf,
    /// The port. Default: a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
}
