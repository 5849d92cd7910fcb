//! Printing that cannot fail a drill. The standard macros panic if the reader is gone (`firedrill run … | head`), but a
//! running drill must continue, heal and report, and its exit status must come from the verdict.

use std::fmt::Display;
use std::io::Write;

/// Prints to stdout as is; a missing reader is not an error.
pub fn print(text: impl Display) {
    put(&mut std::io::stdout(), text);
}

/// Prints a line to stdout.
pub fn line(text: impl Display) {
    print(format_args!("{text}\n"));
}

/// Prints to stderr as is.
pub fn tell(text: impl Display) {
    put(&mut std::io::stderr(), text);
}

/// Prints a line to stderr.
pub fn tell_line(text: impl Display) {
    tell(format_args!("{text}\n"));
}

fn put(stream: &mut impl Write, text: impl Display) {
    let _ = write!(stream, "{text}").and_then(|()| stream.flush());
}
