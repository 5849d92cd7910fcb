//! The server that each active fault hits: overlapping faults hit the same one.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::path::Path;

/// The servers hit by the active faults.
#[derive(Default)]
pub(super) struct Aimed {
    paths: Mutex<Vec<(u32, Arc<Path>)>>,
    /// Every aim so far: the fault, when, and the server's address.
    log: Mutex<Vec<(u32, Instant, String)>>,
    /// Serialises aiming: a second fault must wait until the first has aimed.
    pub turn: tokio::sync::Mutex<()>,
}

impl Aimed {
    /// The path to the server hit by a fault other than `fault`.
    pub fn by_another(&self, fault: u32) -> Option<Arc<Path>> {
        self.paths.lock().iter().find(|(other, _)| *other != fault).map(|(_, path)| path.clone())
    }

    /// Records that `fault` hits the server at the end of `path`.
    pub fn hold(&self, fault: u32, path: Arc<Path>) {
        self.release(fault);
        self.log.lock().push((fault, Instant::now(), path.server().url().address()));
        self.paths.lock().push((fault, path));
    }

    /// The addresses that `fault` aimed at when `in_time` says so, in order of time.
    pub fn aims(&self, fault: u32, in_time: impl Fn(Instant) -> bool) -> Vec<String> {
        let log = self.log.lock();
        let aims = log.iter().filter(|(of, at, _)| *of == fault && in_time(*at));
        aims.map(|(_, _, address)| address.clone()).collect()
    }

    /// Records that `fault` is over.
    pub fn release(&self, fault: u32) {
        self.paths.lock().retain(|(other, _)| *other != fault);
    }
}
