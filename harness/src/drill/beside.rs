//! Runs a load on its own thread beside the collection of its records.

use std::sync::mpsc::{Receiver, Sender, channel};

use tokio_util::sync::CancellationToken;

use super::error::DrillError;
use crate::load::IntervalBatch;

/// Runs `work`, which sends its records to the given sender, and returns once `collect` has taken all of them. If that
/// fails, `stop` ends the work: the disk is full, and unrecorded operations prove nothing.
pub async fn beside<R: Send, C>(
    stop: &CancellationToken,
    work: impl FnOnce(Sender<IntervalBatch>) -> R + Send,
    collect: impl FnOnce(&Receiver<IntervalBatch>) -> Result<C, DrillError>,
) -> Result<(R, C), DrillError> {
    let (sink, batches) = channel();
    // Collecting blocks this thread; the drill's runtime has others for everything else.
    let (done, collected) = tokio::task::block_in_place(|| -> Result<_, DrillError> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("firedrill-load".to_owned());
            let working = thread.spawn_scoped(scope, || work(sink)).map_err(DrillError::Runtime)?;
            // A panic must end the work too, before the scope waits for it.
            let ending = stop.clone().drop_guard();
            let collected = collect(&batches);
            if collected.is_ok() {
                ending.disarm();
            }
            // Once the receiver is gone, workers drop their records: an error must not block them.
            drop(batches);
            Ok((working.join(), collected))
        })
    })?;
    match done {
        Ok(done) => Ok((done, collected?)),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
