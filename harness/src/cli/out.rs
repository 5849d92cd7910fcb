//! Printing that cannot fail a drill. The standard macros panic if the reader is gone (`firedrill run … | head`), but a
//! running drill must continue, heal and report, and its exit status must come from the verdict.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints to stdout as is; a missing reader is not an error.
pub fn print(text: impl Display) {
    put(&mut io::stdout(), text);
}

/// Prints a line to stdout.
pub fn line(text: impl Display) {
    print(format_args!("{text}\n"));
}

/// Prints to stderr as is.
pub fn tell(text: impl Display) {
    put(&mut io::stderr(), text);
}

/// Prints a line to stderr.
pub fn tell_line(text: impl Display) {
    tell(format_args!("{text}\n"));
}

/// Lets `write` write to stdout through a buffer. A reader that closes the pipe early ends the writing and is not an error.
pub fn stream(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

fn put(stream: &mut impl Write, text: impl Display) {
    let _ = write!(stream, "{text}").and_then(|()| stream.flush());
}
