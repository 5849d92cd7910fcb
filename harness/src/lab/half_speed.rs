//! Processes that get half of the time: stopped and continued in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::LabError;

/// How long it runs, and stands still, in turn: short beside any objective, long beside the kernel's own scheduling.
const TURN: Duration = Duration::from_millis(2);

/// Keeps processes of ours at half their speed until it is dropped.
pub struct HalfSpeed {
    ends: Arc<AtomicBool>,
    turns: Option<JoinHandle<()>>,
}

impl HalfSpeed {
    /// Slows down what `freeze` stops (true) and continues (false); `None` if it says that there is no such process of ours.
    ///
    /// # Errors
    /// The system's error.
    pub fn of(freeze: impl Fn(bool) -> Result<bool, LabError> + Send + 'static) -> Result<Option<Self>, LabError> {
        if !freeze(false)? {
            return Ok(None);
        }
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let turns = std::thread::Builder::new().name("firedrill-half".to_owned()).spawn(move || {
            while !ended.load(Relaxed) {
                for frozen in [true, false] {
                    // A process that is gone is noticed by everyone who asks it something.
                    let _ = freeze(frozen);
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
        // Every turn ends with the processes running.
        if let Some(turns) = self.turns.take() {
            let _ = turns.join();
        }
    }
}
