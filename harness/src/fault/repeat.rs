//! Actions of a fault that come after its injection: one that repeats for as long as it lasts, and one that comes later.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A task that repeats one action and is never interrupted in the middle of it.
#[derive(Default)]
pub(super) struct Repeat(Mutex<Option<Running>>);

struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Repeat {
    /// Calls `once` with `what` now and after each `pause`, until stopped. Must be called on a runtime.
    pub fn start<T, F, D>(&self, what: Arc<T>, pause: Duration, once: F)
    where
        T: Send + Sync + 'static,
        F: Fn(Arc<T>) -> D + Send + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                once(what.clone()).await;
                // An error means that the owner is gone and cannot stop it.
                if tokio::time::timeout(pause, stopped.wait_for(|stop| *stop)).await.is_ok() {
                    return;
                }
            }
        });
        *self.0.lock() = Some(Running { stop, task });
    }

    /// Waits for the current round to end. Does nothing if none is running.
    pub async fn stop(&self) {
        let running = self.0.lock().take();
        if let Some(running) = running {
            running.stop().await;
        }
    }
}

/// A task that does one thing after a while, unless it is stopped before, and is never interrupted in the middle of it.
#[derive(Default)]
pub(super) struct Later(Mutex<Option<Running>>);

impl Later {
    /// Does `what` once `after` has passed. Must be called on a runtime.
    pub fn start(&self, after: Duration, what: impl Future<Output = ()> + Send + 'static) {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            if tokio::time::timeout(after, stopped.wait_for(|stop| *stop)).await.is_err() {
                what.await;
            }
        });
        *self.0.lock() = Some(Running { stop, task });
    }

    /// Waits for its end if it has begun; otherwise it never will.
    pub async fn stop(&self) {
        let running = self.0.lock().take();
        if let Some(running) = running {
            running.stop().await;
        }
    }
}

impl Running {
    async fn stop(self) {
        self.stop.send_replace(true);
        // A task that panicked has ended too.
        let _ = self.task.await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    #[tokio::test]
    async fn it_goes_on_until_it_is_stopped_and_never_stops_half_way() {
        let begun = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
        let repeat = Repeat::default();
        repeat.start(begun.clone(), Duration::from_millis(1), |counts| async move {
            counts.0.fetch_add(1, SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
            counts.1.fetch_add(1, SeqCst);
        });
        while begun.0.load(SeqCst) < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        repeat.stop().await;
        let done = begun.0.load(SeqCst);
        assert_eq!(begun.1.load(SeqCst), done);
        repeat.stop().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(begun.0.load(SeqCst), done);
    }

    #[tokio::test]
    async fn what_comes_later_comes_once_and_not_after_a_stop() {
        let count = Arc::new(AtomicU32::new(0));
        let add = |count: Arc<AtomicU32>| async move {
            count.fetch_add(1, SeqCst);
        };
        let later = Later::default();
        later.start(Duration::from_millis(1), add(count.clone()));
        while count.load(SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        later.stop().await;
        later.start(Duration::from_secs(60), add(count.clone()));
        later.stop().await;
        assert_eq!(count.load(SeqCst), 1);
    }
}
