//! A command that serves something while it runs, and says on stderr where.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

/// The running command.
pub struct Watched {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Watched {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// The rest of the line on stderr that begins with `word`.
    pub fn told(&mut self, word: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "no {word} in\n{all}");
            match line.strip_prefix(word) {
                Some(rest) => return rest.trim().to_owned(),
                None => all.push_str(&line),
            }
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; returns its exit status and the rest of its stderr.
    pub fn ended(mut self) -> (i32, String) {
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), said)
    }
}

/// Where a URL leads, and its path.
pub fn parts(url: &str) -> (SocketAddr, String) {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    (address.parse().unwrap(), format!("/{path}"))
}
