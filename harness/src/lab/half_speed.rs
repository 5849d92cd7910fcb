//! A server that gets half of the time: stopped and continued in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::LabError;
use super::server::Server;

/// How long it runs, and stands still, in turn: short beside any objective, long beside the kernel's own scheduling.
const TURN: Duration = Duration::from_millis(2);

/// Keeps a server of ours at half its speed until it is dropped.
pub struct HalfSpeed {
    ends: Arc<AtomicBool>,
    turns: Option<JoinHandle<()>>,
}

impl HalfSpeed {
    /// Slows `server` down; `None` if it is no child process of ours.
    ///
    /// # Errors
    /// The system's error.
    pub fn of(server: Arc<dyn Server>) -> Result<Option<Self>, LabError> {
        let Some(process) = server.process() else { return Ok(None) };
        if !process.freeze(false)? {
            return Ok(None);
        }
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let turns = std::thread::Builder::new().name("firedrill-half".to_owned()).spawn(move || {
            let Some(process) = server.process() else { return };
            while !ended.load(Relaxed) {
                for frozen in [true, false] {
                    // A server that is gone is noticed by everyone who asks it something.
                    let _ = process.freeze(frozen);
                    std::thread::sleep(TURN);
                }
            }
        });
        let turns = turns.map_err(|error| LabError::system("starting a thread".to_owned(), error))?;
        Ok(Some(Self { ends, turns: Some(turns) }))
    }
}

impl Drop for HalfSpeed {
    fn drop(&mut self) {
        self.ends.store(true, Relaxed);
        // Every turn ends with the server running.
        if let Some(turns) = self.turns.take() {
            let _ = turns.join();
        }
    }
}
