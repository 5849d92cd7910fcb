//! The `firedrill` command.

fn main() -> std::process::ExitCode {
    firedrill::cli::main()
}
