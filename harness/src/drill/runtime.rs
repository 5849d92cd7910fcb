//! The thread and the runtime of a drill. They are separate from the caller's, so a test's single-threaded or busy
//! runtime does not disturb the clocks, and the drill does not block it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::error::DrillError;

/// Runs `work` on a separate thread. Dropping the returned future cancels `stop`, and the work then ends on its own.
pub async fn apart<T: Send + 'static>(
    stop: CancellationToken,
    work: impl AsyncFnOnce() -> Result<T, DrillError> + Send + 'static,
) -> Result<T, DrillError> {
    let (sender, done) = oneshot::channel();
    let body = move || {
        let done = runtime().and_then(|runtime| runtime.block_on(work()));
        let _ = sender.send(done);
    };
    let thread = std::thread::Builder::new().name("firedrill".to_owned()).spawn(body).map_err(DrillError::Runtime)?;
    let guard = stop.drop_guard();
    let done = done.await;
    guard.disarm();
    match (done, thread.join()) {
        (Ok(done), _) => done,
        (Err(_), Err(panic)) => Err(panicked(&*panic)),
        (Err(_), Ok(())) => Err(DrillError::Runtime(std::io::Error::other("the drill's thread ended"))),
    }
}

/// Runs `work` until it ends or panics. Everything it holds is dropped by then, so the caller can clean up.
///
/// # Errors
/// Any error of `work`, and [`DrillError::Panicked`].
pub async fn guarded<T>(work: impl Future<Output = Result<T, DrillError>>) -> Result<T, DrillError> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
    })
    .await
}

fn panicked(panic: &(dyn Any + Send)) -> DrillError {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    DrillError::Panicked(said.unwrap_or("without a word").to_owned())
}

/// The runtime of the lab, the target's connections and the nemesis; the load has its own runtimes.
fn runtime() -> Result<Runtime, DrillError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("firedrill-lab")
        .enable_all()
        .build()
        .map_err(DrillError::Runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_blocks_leaves_the_callers_runtime_alone_and_may_use_a_runtime_of_its_own() {
        let work = async || {
            tokio::task::block_in_place(std::thread::yield_now);
            Ok(tokio::spawn(async { 7 }).await.unwrap_or(0))
        };
        assert_eq!(apart(CancellationToken::new(), work).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_drill_whose_future_is_dropped_is_stopped() {
        let stop = CancellationToken::new();
        let (seen, stopped) = (stop.clone(), stop.clone());
        let work = async move || {
            seen.cancelled().await;
            Ok(())
        };
        let waiting = apart(stop, work);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), waiting).await.is_err());
        stopped.cancelled().await;
    }
}
